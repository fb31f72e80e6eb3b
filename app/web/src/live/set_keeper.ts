/** Sets, repetitions and rests of one exercise, by the count that the coach gives. */

import type { Dose } from "../coach/exercise";

export type Stage =
  | { kind: "moving"; set: number; done: number }
  | { kind: "resting"; set: number; leftS: number }
  | { kind: "finished" };

/** Times are seconds of one clock; sets are counted from 1. */
export class SetKeeper {
  private set = 1;
  private before = 0;
  private restUntilS: number | null = null;
  private ended = false;

  constructor(private readonly dose: Dose) {}

  /** Where the person is at `tS`, when `count` repetitions have been done in all. */
  update(tS: number, count: number): Stage {
    if (this.ended) return { kind: "finished" };
    if (this.restUntilS !== null) {
      if (tS < this.restUntilS) {
        return { kind: "resting", set: this.set, leftS: this.restUntilS - tS };
      }
      this.startSet(count);
    }
    // What the coach takes back of the set before is no repetition of this one.
    this.before = Math.min(this.before, count);
    const done = count - this.before;
    if (done < this.dose.repetitions) return { kind: "moving", set: this.set, done };
    if (this.set >= this.dose.sets) {
      this.ended = true;
      return { kind: "finished" };
    }
    this.restUntilS = tS + this.dose.restS;
    return { kind: "resting", set: this.set, leftS: this.dose.restS };
  }

  /** The person does not want to rest any longer. */
  goOn(): void {
    if (this.restUntilS !== null) this.restUntilS = Number.NEGATIVE_INFINITY;
  }

  private startSet(count: number): void {
    this.set += 1;
    this.before = count;
    this.restUntilS = null;
  }
}
