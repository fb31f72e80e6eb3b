/** Notices a fault while it lasts, and says its cue once in a while. */

import { jointAngle } from "../coach/angles";
import type { Exercise, Fault } from "../coach/exercise";
import { type BodySide, type Frame, isFound, type Window } from "../coach/landmarks";

/** Landmarks of two seconds tell the view, as in the count. */
const WINDOW_S = 2;

/** House choice: a cue said more often than this is nagging. */
const QUIET_S = 8;

const SIDES: readonly BodySide[] = ["left", "right"];

export class FaultWatch {
  private frames: Frame[] = [];
  private readonly since = new Map<Fault, number>();
  private saidS = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly exercise: Exercise,
    private readonly side: BodySide | null,
    private readonly size: { width: number; height: number },
  ) {}

  /** The cue to say after `frame`; null while nothing lasts, and while `moving` is false. */
  update(frame: Frame, moving: boolean): string | null {
    this.frames = [...this.frames.filter((each) => each.tS >= frame.tS - WINDOW_S), frame];
    if (this.frames.length < 2 || !isFound(frame)) return null;
    const window: Window = { frames: this.frames, ...this.size };
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
      .map((side) => jointAngle(window, fault.measure, side).at(-1) ?? Number.NaN)
      .filter(Number.isFinite);
    return angles.some((deg) =>
      fault.comparison === "above" ? deg > fault.bound : deg < fault.bound,
    );
  }
}
