import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type DrawingData, drawDemonstration, frameAt, stillsByStep } from "../src/demonstration";

const DATA: DrawingData = {
  duration_s: 4,
  box: [-10, -110, 20, 120],
  bones: [
    { start: 0, end: 1, layer: "near" },
    { start: 1, end: 2, layer: "far" },
  ],
  head: 2,
  head_radius: 6.5,
  props: [
    [
      [-10, 0],
      [10, 0],
    ],
  ],
  frames: [
    [0, 0, 0, -50, 0, -90],
    [4, 0, 4, -50, 4, -90],
    [8, 0, 8, -50, 8, -90],
    [4, 0, 4, -50, 4, -90],
  ],
  stills: [
    { frame: [0, 0, 0, -50, 0, -90], step: 1 },
    { frame: [4, 0, 4, -50, 4, -90], step: 2 },
    { frame: [8, 0, 8, -50, 8, -90], step: 2 },
  ],
  steps: ["Stand tall.", "Step to the side."],
};

let ticks: FrameRequestCallback[] = [];

function runTo(now_ms: number): void {
  const due = ticks;
  ticks = [];
  for (const tick of due) tick(now_ms);
}

function page(reducedMotion: boolean): HTMLElement {
  ticks = [];
  vi.stubGlobal("matchMedia", () => ({ matches: reducedMotion }));
  vi.stubGlobal("requestAnimationFrame", (tick: FrameRequestCallback) => ticks.push(tick));
  vi.stubGlobal("cancelAnimationFrame", (handle: number) => ticks.splice(handle - 1, 1));
  document.body.innerHTML = `<figure data-demonstration data-label="Side step"><div data-plot></div>
    <button type="button" data-pause="Pause" data-play="Play" hidden>Pause</button>
    <script type="application/json">${JSON.stringify(DATA)}</script></figure>`;
  const figure = document.querySelector("figure") as HTMLElement;
  drawDemonstration(figure);
  return figure;
}

const headX = (figure: HTMLElement) => figure.querySelector("circle")?.getAttribute("cx");

describe("frameAt", () => {
  it("lies between the two nearest frames", () => {
    expect(frameAt(DATA, 0.5)[0]).toBeCloseTo(2);
    expect(frameAt(DATA, 2)[0]).toBeCloseTo(8);
  });

  it("leads from the last frame back to the first, again and again", () => {
    expect(frameAt(DATA, 3.5)[0]).toBeCloseTo(2);
    expect(frameAt(DATA, 40.5)[0]).toBeCloseTo(2);
  });
});

describe("stillsByStep", () => {
  it("keeps the last pose of each step", () => {
    expect(stillsByStep(DATA).map(({ step, frame }) => [step, frame[0]])).toEqual([
      [1, 0],
      [2, 8],
    ]);
  });
});

describe("drawDemonstration", () => {
  let figure: HTMLElement;
  beforeEach(() => {
    figure = page(false);
  });
  afterEach(() => vi.unstubAllGlobals());

  it("draws one labelled picture with floor, bones and head", () => {
    const svg = figure.querySelector("svg");
    expect(svg?.getAttribute("role")).toBe("img");
    expect(svg?.getAttribute("aria-label")).toBe("Side step");
    expect(figure.querySelectorAll("line")).toHaveLength(2);
    expect(figure.querySelectorAll("polyline")).toHaveLength(1);
    expect(figure.querySelector("[style]")).toBeNull();
  });

  it("draws the far limbs behind the near ones", () => {
    const kinds = [...figure.querySelectorAll("line")].map((line) => line.getAttribute("class"));
    expect(kinds[0]).toContain("far");
    expect(kinds[1]).toContain("near");
  });

  it("moves with the time", () => {
    runTo(1_000);
    runTo(2_000);
    expect(headX(figure)).toBe("4.0");
  });

  it("stands still while paused and goes on from there", () => {
    const button = figure.querySelector("button") as HTMLButtonElement;
    expect(button.hidden).toBe(false);
    runTo(1_000);
    runTo(2_000);
    button.click();
    expect(button.textContent).toBe("Play");
    runTo(9_000);
    expect(headX(figure)).toBe("4.0");
    button.click();
    expect(button.textContent).toBe("Pause");
    runTo(20_000);
    runTo(21_000);
    expect(headX(figure)).toBe("8.0");
  });

  it("keeps one clock however often the button is pressed", () => {
    const button = figure.querySelector("button") as HTMLButtonElement;
    runTo(1_000);
    button.click();
    button.click();
    runTo(2_000);
    expect(ticks).toHaveLength(1);
  });

  it("shows the steps as still pictures to those who want no motion", () => {
    const still = page(true);
    expect(ticks).toHaveLength(0);
    expect([...still.querySelectorAll("li")].map((item) => item.textContent)).toEqual([
      "1. Stand tall.",
      "2. Step to the side.",
    ]);
    expect(still.querySelector("svg")?.getAttribute("aria-label")).toBe(
      "Side step: 1. Stand tall.",
    );
    expect(still.querySelector("button")?.hidden).toBe(true);
  });
});
