/** The chart's clock, held by one tab of this browser at a time, whatever patient it shows.
 *
 * A tab takes the lock when somebody does something in it, and lets it go when it is hidden or
 * idle. Until then other tabs wait and do not count: of two charts, the one begun earlier has the
 * time, as it has on the server.
 */

import type { ActivityClock, Interval } from "./activity_clock";

/** The part of `navigator.locks` that is used. */
export interface Locks {
  request(name: string, use: () => Promise<void> | undefined): Promise<unknown>;
}

export type ClockState = "running" | "idle" | "elsewhere";

const LOCK = "homestretch-chart-timer";

export class OneTabClock {
  private letGo: (() => void) | null = null;
  private asked = false;
  private lastInput = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly clock: ActivityClock,
    private readonly idleMs: number,
    private readonly locks: Locks,
    private readonly now: () => number = Date.now,
  ) {}

  /** The person did something in this tab. */
  input(): void {
    this.lastInput = this.now();
    if (this.letGo) this.clock.input(this.lastInput);
    else if (!this.asked) this.ask();
  }

  /** The tab is hidden, or work in it has ended. */
  pause(): void {
    this.lastInput = Number.NEGATIVE_INFINITY;
    this.clock.pause(this.now());
    this.release();
  }

  /** Lets another tab have the clock once this one is idle; to be called often. */
  tick(): void {
    if (this.letGo && !this.clock.isActive(this.now())) {
      this.clock.pause(this.now());
      this.release();
    }
  }

  take(): Interval[] {
    return this.clock.take(this.now());
  }

  elapsed(): number {
    return this.clock.elapsed(this.now());
  }

  get state(): ClockState {
    if (this.letGo && this.clock.isActive(this.now())) return "running";
    return this.asked && this.isInUse() ? "elsewhere" : "idle";
  }

  private ask(): void {
    this.asked = true;
    void this.locks.request(LOCK, () => {
      this.asked = false;
      if (!this.isInUse()) return undefined; // left while it waited
      this.clock.begin(this.now(), this.lastInput);
      return new Promise<void>((done) => {
        this.letGo = done;
      });
    });
  }

  private isInUse(): boolean {
    return this.now() - this.lastInput < this.idleMs;
  }

  private release(): void {
    this.letGo?.();
    this.letGo = null;
  }
}
