/** When a chart is in use: time since the last input up to an idle limit, and no longer. */

export interface Interval {
  start: number;
  end: number;
}

/** Times are milliseconds of one clock. After `idleMs` without input the time stops. */
export class ActivityClock {
  private begun: number | null = null;
  private lastInput = 0;
  private totalMs = 0;

  constructor(private readonly idleMs: number) {}

  /** The person did something. */
  input(now: number): void {
    this.expire(now);
    if (this.begun === null) this.begun = now;
    this.lastInput = now;
  }

  /** Counting may begin `now`, after an input that came before. */
  begin(now: number, lastInput: number): void {
    this.input(now);
    this.lastInput = lastInput;
  }

  /** The page is hidden, or another tab counts now. */
  pause(now: number): void {
    this.expire(now);
    if (this.begun !== null) this.close(now);
  }

  /** The stretches since the last call, closed at `now` while in use; counting goes on. */
  take(now: number): Interval[] {
    this.expire(now);
    if (this.begun !== null && now > this.begun) {
      this.close(now);
      this.begun = now;
    }
    return this.finished.splice(0);
  }

  isActive(now: number): boolean {
    return this.begun !== null && now - this.lastInput < this.idleMs;
  }

  /** Milliseconds in use so far. */
  elapsed(now: number): number {
    if (this.begun === null) return this.totalMs;
    const end = Math.min(now, this.lastInput + this.idleMs);
    return this.totalMs + Math.max(0, end - this.begun);
  }

  private readonly finished: Interval[] = [];

  /** Ends a stretch whose idle limit has passed, at that limit. */
  private expire(now: number): void {
    if (this.begun !== null && now - this.lastInput >= this.idleMs) {
      this.close(this.lastInput + this.idleMs);
    }
  }

  private close(at: number): void {
    if (this.begun !== null && at > this.begun) {
      this.finished.push({ start: this.begun, end: at });
      this.totalMs += at - this.begun;
    }
    this.begun = null;
  }
}
