/** The page of an exercise done by the timer, without a camera: its steps and what it says. */

import type { Dose } from "../coach/exercise";
import { askWhyStopped, chosen, readFeedback } from "../live/feedback";
import { type GuidedReport, PieceStore } from "../live/piece_store";
import { Sender } from "../live/sender";
import { Speech } from "../live/speech";
import { GuidedTimer, type Moment } from "./timer";

/** What the page is told by the server; `words` are in the page's language. */
export interface GuidedData {
  sessionId: string;
  address: string;
  exerciseId: string;
  dose: Dose;
  paceS: number;
  /** Counted by its minutes, as walking is. */
  timed: boolean;
  words: Record<string, string>;
}

type Step = "before" | "going" | "after" | "sending";

const TICK_MS = 200;
/** A session of a closed tab is kept from the first repetition, or minute, on. */
const KEPT_EVERY_S = 10;

export async function runGuidedPage(root: HTMLElement): Promise<void> {
  const source = root.querySelector('script[type="application/json"]')?.textContent;
  if (!source) throw new Error("the exercise's page has no data");
  new GuidedPage(root, JSON.parse(source) as GuidedData, await PieceStore.open()).listen();
}

class GuidedPage {
  private readonly speech = new Speech(document.documentElement.lang || "en");
  private readonly sender: Sender;
  private step: Step = "before";
  private timer: GuidedTimer;
  private ticking: ReturnType<typeof setInterval> | null = null;
  private startedAt = "";
  private lastKind = "";
  private lastDone = 0;
  private keptS = 0;

  constructor(
    private readonly root: HTMLElement,
    private readonly page: GuidedData,
    private readonly store: PieceStore,
  ) {
    this.sender = new Sender(store);
    this.timer = new GuidedTimer(page.dose, page.paceS);
  }

  listen(): void {
    this.on("start", () => this.start());
    this.on("pause", (button) => this.togglePause(button));
    this.on("go-on", () => this.timer.goOn());
    this.on("sound", (button) => this.toggleSound(button));
    this.on("stop", () => this.stop());
    this.on("send", () => void this.send());
    // A phone that slept wakes with the time that has passed.
    document.addEventListener("visibilitychange", () => this.tick());
    // Until here a press would have been lost.
    this.find<HTMLButtonElement>('[data-action="start"]').disabled = false;
  }

  private start(): void {
    if (this.pain("pain_before") === null) {
      this.say(this.word("choose_before"));
      return;
    }
    this.startedAt = new Date().toISOString();
    this.go("going");
    this.speech.say(this.word("ready"));
    this.tick();
    this.ticking = setInterval(() => this.tick(), TICK_MS);
  }

  private tick(): void {
    if (this.step !== "going") return;
    const moment = this.timer.update(performance.now() / 1000);
    if (moment.kind === "finished") {
      this.end(this.word("finished"));
      return;
    }
    this.show(moment);
    const done = this.page.timed ? this.timer.exercisedS >= 60 : this.timer.count > 0;
    if (done && this.timer.exercisedS - this.keptS >= KEPT_EVERY_S) {
      this.keptS = this.timer.exercisedS;
      void this.keepReport(null, this.counted(), this.minutes());
    }
  }

  private show(moment: Exclude<Moment, { kind: "finished" }>): void {
    const { sets, repetitions } = this.page.dose;
    this.text("clock", clock(moment.leftS));
    this.text("phase", this.word(moment.kind));
    const counts = "done" in moment && !this.page.timed;
    if (counts) {
      this.text("count", this.word("count", moment.done, repetitions));
    }
    if ("set" in moment) this.text("set", sets > 1 ? this.word("set", moment.set, sets) : "");
    this.find<HTMLElement>('[data-action="go-on"]').hidden = moment.kind !== "rest";
    this.speak(moment, counts ? moment.done : 0);
  }

  /** Says what changes, and counts where nothing else is to be said. */
  private speak(moment: Exclude<Moment, { kind: "finished" }>, done: number): void {
    if (moment.kind !== this.lastKind) {
      const counted = done > this.lastDone ? `${done}. ` : "";
      this.speech.say(counted + this.word(moment.kind));
    } else if (done > this.lastDone) {
      this.speech.say(String(done));
    }
    this.lastKind = moment.kind;
    this.lastDone = done;
  }

  private togglePause(button: HTMLElement): void {
    const paused = this.timer.togglePause(performance.now() / 1000);
    button.textContent = this.word(paused ? "unpause" : "pause");
    this.root.toggleAttribute("data-paused", paused);
  }

  private toggleSound(button: HTMLElement): void {
    const on = this.speech.toggle();
    button.setAttribute("aria-pressed", String(on));
    button.textContent = this.word(on ? "sound_on" : "sound_off");
  }

  private stop(): void {
    askWhyStopped(this.root);
    this.end(this.word("stopped"));
  }

  private end(words: string): void {
    if (this.step !== "going") return;
    if (this.ticking !== null) clearInterval(this.ticking);
    this.input("repetitions").value = String(this.counted());
    this.input("minutes").value = String(this.minutes());
    this.go("after");
    this.text("ended", words);
    this.speech.say(`${words} ${this.word("pain_now")}`);
  }

  private async send(): Promise<void> {
    if (this.step !== "after") return;
    const after = this.pain("pain_after");
    const [repetitions, minutes] = [this.input("repetitions"), this.input("minutes")];
    if (after === null) {
      this.say(this.word("choose_after"));
    } else if (!repetitions.reportValidity() || !minutes.reportValidity()) {
      this.say(this.word("mend_numbers"));
    } else if (repetitions.valueAsNumber === 0 && !readFeedback(this.root).stopped_reason) {
      this.say(this.word("none_done"));
    } else {
      this.go("sending");
      this.say(this.word("sending"));
      await this.handIn(after, repetitions.valueAsNumber, minutes.valueAsNumber);
    }
  }

  private async handIn(after: number, repetitions: number, minutes: number): Promise<void> {
    try {
      await this.keepReport(after, repetitions, minutes);
      const outcome = await this.sender.finish(this.page.sessionId);
      if ("result" in outcome) {
        location.assign(outcome.result);
        return;
      }
      this.go("after");
      this.say(outcome.refused);
    } catch {
      this.go("after");
      this.say(this.word("offline"));
    }
  }

  private async keepReport(
    painAfter: number | null,
    repetitions: number,
    minutes: number,
  ): Promise<void> {
    const report: GuidedReport = {
      exercise_id: this.page.exerciseId,
      started_at: this.startedAt,
      pain_before: this.pain("pain_before") ?? 0,
      pain_after: painAfter,
      repetitions,
      minutes,
      ...readFeedback(this.root),
    };
    const { sessionId, address } = this.page;
    const name = document.querySelector("h1")?.textContent ?? this.page.exerciseId;
    await this.store.keepReport({ sessionId, address, name, report });
  }

  private counted(): number {
    if (!this.page.timed) return this.timer.count;
    return this.timer.exercisedS > 0 ? Math.max(1, this.timer.count) : 0;
  }

  private minutes(): number {
    return Math.max(1, Math.round(this.timer.exercisedS / 60));
  }

  private go(step: Step): void {
    this.step = step;
    for (const part of this.root.querySelectorAll<HTMLElement>("[data-step]")) {
      part.hidden = !part.dataset.step?.split(" ").includes(step);
    }
    this.root.querySelector<HTMLElement>(`[data-step~="${step}"] [data-focus]`)?.focus();
    this.say("");
  }

  private say(words: string): void {
    this.text("message", words);
  }

  /** Announced only where it changes. */
  private text(place: string, words: string): void {
    const element = this.find<HTMLElement>(`[data-text="${place}"]`);
    if (element.textContent !== words) element.textContent = words;
  }

  /** `{n}` and `{all}` stand in for numbers. */
  private word(key: string, n = 0, all = 0): string {
    const words = this.page.words[key];
    if (words === undefined) throw new Error(`the page has no words for ${key}`);
    return words.replace("{n}", String(n)).replace("{all}", String(all));
  }

  private pain(name: string): number | null {
    const value = chosen(this.root, name);
    return value === null ? null : Number(value);
  }

  private input(name: string): HTMLInputElement {
    return this.find<HTMLInputElement>(`input[name="${name}"]`);
  }

  private on(action: string, act: (button: HTMLElement) => void): void {
    const button = this.find<HTMLElement>(`[data-action="${action}"]`);
    button.addEventListener("click", () => act(button));
  }

  private find<T extends Element>(selector: string): T {
    const element = this.root.querySelector<T>(selector);
    if (!element) throw new Error(`the page has no ${selector}`);
    return element;
  }
}

/** Whole seconds, or minutes and seconds from one minute on. */
export function clock(leftS: number): string {
  const seconds = Math.ceil(leftS - 1e-6);
  if (seconds < 60) return String(seconds);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
