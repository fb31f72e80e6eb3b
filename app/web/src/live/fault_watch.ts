/** Notices a fault while it lasts, and says its cue once in a while. */

import { newestAngle } from "../coach/angles";
import type { Exercise, Fault } from "../coach/exercise";
import { type BodySide, isFound, type Window } from "../coach/landmarks";

/** House choice: a cue said more often than this is nagging. */
const QUIET_S = 8;

const SIDES: readonly BodySide[] = ["left", "right"];

export class FaultWatch {
  private readonly since = new Map<Fault, number>();
  private saidS = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly exercise: Exercise,
    private readonly side: BodySide | null,
  ) {}

  /** The cue to say after the newest frame of `window`, which is the coach's own; null while
   * nothing lasts, and while `moving` is false. */
  update(window: Window, moving: boolean): string | null {
    const frame = window.frames.at(-1);
    if (frame === undefined || window.frames.length < 2 || !isFound(frame)) return null;
    let cue: string | null = null;
    for (const fault of this.exercise.faults) {
      const begun =
        moving && this.isBeyond(window, fault) ? (this.since.get(fault) ?? frame.tS) : null;
      if (begun === null) this.since.delete(fault);
      else this.since.set(fault, begun);
      if (begun !== null && frame.tS - begun >= fault.minimumDurationS) cue ??= fault.cue;
    }
    if (cue === null || frame.tS - this.saidS < QUIET_S) return null;
    this.saidS = frame.tS;
    return cue;
  }

  private isBeyond(window: Window, fault: Fault): boolean {
    const sides = this.side ? [this.side] : SIDES;
    const angles = sides
      .map((side) => newestAngle(window, fault.measure, side))
      .filter(Number.isFinite);
    return angles.some((deg) =>
      fault.comparison === "above" ? deg > fault.bound : deg < fault.bound,
    );
  }
}
