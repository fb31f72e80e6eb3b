/** A session's skeleton again: played, slowed, and sought by time or repetition. */

import { type Frame, LANDMARK_COUNT } from "./coach/landmarks";
import { drawSkeleton } from "./live/skeleton";

/** `points`: for each time in `tS` (s) x and y of each of `landmarks`, null where not seen. */
export interface Recorded {
  width: number;
  height: number;
  landmarks: number[];
  tS: number[];
  points: (number | null)[][];
}

/** The latest frame not after `timeS`, else the first; times ascend. */
export function indexAt(times: readonly number[], timeS: number): number {
  let [low, high] = [0, times.length - 1];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((times[middle] as number) <= timeS) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** As the skeleton is drawn from; what was not recorded is not seen. */
export function frameOf(recorded: Recorded, index: number): Frame {
  const frame: Frame = {
    tS: recorded.tS[index] ?? 0,
    image: new Float64Array(2 * LANDMARK_COUNT).fill(Number.NaN),
    world: new Float64Array(3 * LANDMARK_COUNT).fill(Number.NaN),
    visibility: new Float64Array(LANDMARK_COUNT),
  };
  const points = recorded.points[index] ?? [];
  recorded.landmarks.forEach((landmark, place) => {
    const [x, y] = [points[2 * place], points[2 * place + 1]];
    if (typeof x !== "number" || typeof y !== "number") return;
    frame.image.set([x, y], 2 * landmark);
    frame.visibility[landmark] = 1;
  });
  return frame;
}

export async function startReplay(root: HTMLElement): Promise<void> {
  const message = find<HTMLElement>(root, "[data-replay-message]");
  const answer = await fetch(root.dataset.framesUrl ?? "", {
    headers: { Accept: "application/json" },
  });
  if (!answer.ok) {
    const { error } = (await answer.json()) as { error?: string };
    message.textContent = error ?? "The landmarks could not be loaded.";
    return;
  }
  new Replay(root, (await answer.json()) as Recorded).listen();
  message.textContent = "";
}

class Replay {
  private readonly canvas: HTMLCanvasElement;
  private readonly seek: HTMLInputElement;
  private readonly button: HTMLButtonElement;
  private readonly endS: number;
  private timeS = 0;
  private speed = 1;
  private playedMs: number | null = null;

  constructor(
    private readonly root: HTMLElement,
    private readonly recorded: Recorded,
  ) {
    this.canvas = find(root, "canvas");
    this.seek = find(root, "[data-replay-seek]");
    this.button = find(root, "[data-replay-play]");
    this.endS = recorded.tS.at(-1) ?? 0;
  }

  listen(): void {
    this.canvas.height = Math.round(
      (this.canvas.width * this.recorded.height) / this.recorded.width,
    );
    this.seek.max = this.endS.toFixed(1);
    this.seek.addEventListener("input", () => this.show(Number(this.seek.value)));
    this.button.addEventListener("click", () => this.toggle());
    const speed = find<HTMLSelectElement>(this.root, "[data-replay-speed]");
    speed.addEventListener("change", () => {
      this.speed = Number(speed.value);
    });
    for (const each of document.querySelectorAll<HTMLButtonElement>("[data-replay-to]")) {
      each.disabled = false;
      each.addEventListener("click", () => {
        this.show(Number(each.dataset.replayTo));
        this.seek.focus();
      });
    }
    find<HTMLElement>(this.root, ".replay").hidden = false;
    this.show(0);
  }

  private toggle(): void {
    if (this.playedMs !== null) {
      this.pause();
      return;
    }
    if (this.timeS >= this.endS) this.timeS = 0;
    this.playedMs = performance.now();
    this.button.textContent = "Pause";
    requestAnimationFrame((nowMs) => this.step(nowMs));
  }

  private pause(): void {
    this.playedMs = null;
    this.button.textContent = "Play";
  }

  private step(nowMs: number): void {
    if (this.playedMs === null) return;
    this.show(this.timeS + (this.speed * Math.max(0, nowMs - this.playedMs)) / 1000);
    this.playedMs = nowMs;
    if (this.timeS >= this.endS) this.pause();
    else requestAnimationFrame((nextMs) => this.step(nextMs));
  }

  private show(timeS: number): void {
    this.timeS = Math.min(Math.max(timeS, 0), this.endS);
    const told = `${this.timeS.toFixed(1)} s of ${this.endS.toFixed(1)} s`;
    this.seek.value = this.timeS.toFixed(1);
    this.seek.setAttribute("aria-valuetext", told);
    find<HTMLElement>(this.root, "[data-replay-time]").textContent = told;
    drawSkeleton(this.canvas, frameOf(this.recorded, indexAt(this.recorded.tS, this.timeS)));
  }
}

function find<T extends Element>(root: HTMLElement, selector: string): T {
  const element = root.querySelector<T>(selector);
  if (!element) throw new Error(`the replay has no ${selector}`);
  return element;
}
