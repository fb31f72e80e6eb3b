/** Paces an exercise by its dose: get ready, repetitions or holds, rests between sets. */

import type { Dose } from "../coach/exercise";
import { SetKeeper } from "../live/set_keeper";

/** `leftS` is what is left of it; repetitions are counted within their set, sets from 1. */
export type Moment =
  | { kind: "ready"; leftS: number }
  | { kind: "move" | "hold" | "relax"; set: number; done: number; leftS: number }
  | { kind: "rest"; set: number; leftS: number }
  | { kind: "finished" };

/** To put the phone down and take the position. */
export const READY_S = 5;
/** From the end of one hold to the next: to let go and come back. A house choice. */
export const RELAX_S = 3;
/** Finer than anything that is shown; a page that slept catches up in such steps. */
const STEP_S = 0.25;

export class GuidedTimer {
  private readonly sets: SetKeeper;
  private readonly workS: number;
  private readonly repetitionS: number;
  /** Time that ran, without pauses. */
  private ranS = 0;
  private inSetS = 0;
  private lastS: number | null = null;
  private paused = false;
  private now: Moment = { kind: "ready", leftS: READY_S };
  /** Repetitions in all. */
  count = 0;

  /** `paceS` is the time of one repetition where the dose asks for no hold. */
  constructor(
    private readonly dose: Dose,
    paceS: number,
  ) {
    this.sets = new SetKeeper(dose);
    this.workS = dose.holdS > 0 ? dose.holdS : paceS;
    this.repetitionS = dose.holdS > 0 ? dose.holdS + RELAX_S : paceS;
  }

  get isPaused(): boolean {
    return this.paused;
  }

  /** Time of the exercise with its rests, without getting ready and pauses. */
  get exercisedS(): number {
    return Math.max(0, this.ranS - READY_S);
  }

  /** Where the person is at `nowS` of any clock that never goes back. */
  update(nowS: number): Moment {
    let leftS = this.paused || this.lastS === null ? 0 : nowS - this.lastS;
    this.lastS = nowS;
    while (leftS > 1e-9 && this.now.kind !== "finished") {
      const stepS = Math.min(STEP_S, leftS);
      this.step(stepS);
      leftS -= stepS;
    }
    return this.now;
  }

  /** Whether it is paused afterwards. */
  togglePause(nowS: number): boolean {
    this.update(nowS);
    this.paused = !this.paused;
    return this.paused;
  }

  /** The person does not want to rest any longer. */
  goOn(): void {
    this.sets.goOn();
  }

  private step(stepS: number): void {
    const readyS = Math.max(0, READY_S - this.ranS);
    this.ranS += stepS;
    if (this.ranS < READY_S) {
      this.now = { kind: "ready", leftS: READY_S - this.ranS };
      return;
    }
    const before = this.sets.update(this.ranS, this.count);
    if (before.kind === "moving") {
      this.inSetS += stepS - Math.min(readyS, stepS);
      this.count = (before.set - 1) * this.dose.repetitions + this.doneInSet();
    }
    const stage = this.sets.update(this.ranS, this.count);
    if (stage.kind === "finished") {
      this.now = stage;
    } else if (stage.kind === "resting") {
      this.inSetS = 0;
      this.now = { kind: "rest", set: stage.set, leftS: stage.leftS };
    } else {
      this.now = this.within(stage.set, stage.done);
    }
  }

  /** A repetition is done when its movement or hold is; letting go needs no waiting for. */
  private doneInSet(): number {
    const letGoS = this.repetitionS - this.workS;
    // What a sum of small steps lacks is no reason to wait for one step more.
    const done = Math.floor((this.inSetS + letGoS + 1e-6) / this.repetitionS);
    return Math.min(this.dose.repetitions, done);
  }

  private within(set: number, done: number): Moment {
    const atS = this.inSetS % this.repetitionS;
    if (atS >= this.workS) return { kind: "relax", set, done, leftS: this.repetitionS - atS };
    const kind = this.dose.holdS > 0 ? "hold" : "move";
    return { kind, set, done, leftS: this.workS - atS };
  }
}
