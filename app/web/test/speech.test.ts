import { afterEach, describe, expect, it, vi } from "vitest";
import { Speech } from "../src/live/speech";

class Utterance {
  lang = "";
  constructor(readonly text: string) {}
}

function browserThatSpeaks() {
  const speak = vi.fn<(words: Utterance) => void>();
  vi.stubGlobal("speechSynthesis", { speak, cancel: vi.fn() });
  vi.stubGlobal("SpeechSynthesisUtterance", Utterance);
  return speak;
}

describe("Speech", () => {
  afterEach(() => vi.unstubAllGlobals());

  it("speaks the language of the page", () => {
    const speak = browserThatSpeaks();
    new Speech("es").say("Empiece.");
    expect(speak).toHaveBeenCalledWith(
      expect.objectContaining({ text: "Empiece.", lang: "es-US" }),
    );
  });

  it("is silent once muted", () => {
    const speak = browserThatSpeaks();
    const speech = new Speech("en");
    expect(speech.toggle()).toBe(false);
    speech.say("Begin.");
    expect(speak).not.toHaveBeenCalled();
  });
});
