/** From landmarks, one frame at a time, to the live count (`vision/live_coach.py`). */

import { definitionOf, newestAngle, visibilityOf } from "./angles";
import type { Exercise } from "./exercise";
import { type BodySide, type Frame, observedView, type Window } from "./landmarks";
import { LiveCounter, type Reading } from "./live_counter";
import { HALF_WINDOW_S, onTheSpot } from "./place";
import { FULL_SHARE } from "./repetitions";

const WINDOW_S = 2;
const LOOK_BACK_S = 1.1 - HALF_WINDOW_S;
const COMPARABLE_SHARE = 0.9;
const SIDES: readonly BodySide[] = ["left", "right"];
const OTHER: Readonly<Record<BodySide, BodySide>> = { left: "right", right: "left" };

type PerSide = Record<BodySide, number>;

/**
 * Counts the repetitions of one exercise. Without `side`, each side is counted and both together;
 * once both have moved alike, the count is that of both together.
 */
export class LiveCoach {
  /** The last two seconds, the newest frame last. */
  window: Window;
  private readonly counters: Record<BodySide | "both", LiveCounter>;
  private readonly measured: PerSide = { left: 0, right: 0 };
  private readonly visibility: PerSide = { left: 0, right: 0 };

  constructor(
    private readonly exercise: Exercise,
    private readonly side: BodySide | null,
    size: { width: number; height: number },
  ) {
    this.window = { frames: [], ...size };
    this.counters = {
      left: new LiveCounter(exercise),
      right: new LiveCounter(exercise),
      both: new LiveCounter(exercise),
    };
  }

  /** The reading after `frame`; the first of all only opens the window. */
  update(frame: Frame): Reading {
    const beginsS = frame.tS - WINDOW_S;
    const kept = this.window.frames.filter((each) => each.tS >= beginsS);
    const window = { ...this.window, frames: [...kept, frame] };
    this.window = window;
    if (window.frames.length < 2) return this.counters.both.update(frame.tS, null);
    const placed = onTheSpot(window, frame.tS - LOOK_BACK_S).every((each) => each);
    const name = this.exercise.angle.name;
    const newest = (one: BodySide): number =>
      placed ? newestAngle(window, name, one) : Number.NaN;
    if (!definitionOf(name).bilateral) {
      return this.counters.both.update(frame.tS, newest("left"));
    }
    if (this.side) return this.counters[this.side].update(frame.tS, newest(this.side));
    return this.ofBoth(window, { left: newest("left"), right: newest("right") });
  }

  private ofBoth(window: Window, angleDeg: PerSide): Reading {
    const tS = window.frames.at(-1)?.tS ?? Number.NaN;
    for (const one of SIDES) {
      this.measured[one] += Number.isFinite(angleDeg[one]) ? 1 : 0;
      this.visibility[one] += visibilityOf(window, this.exercise.angle.name, one);
    }
    // One leg at a time: their sum moves as far as the one that moves, whichever it is.
    const share = this.exercise.laterality === "bilateral" ? 2 : 1;
    const readings = {
      left: this.counters.left.update(tS, angleDeg.left),
      right: this.counters.right.update(tS, angleDeg.right),
    };
    const together = this.counters.both.update(tS, (angleDeg.left + angleDeg.right) / share);

    const near = greater((one) => this.measured[one] * this.visibility[one]);
    const leading = greater((one) => readings[one].typicalDeg);
    const follows =
      readings[OTHER[leading]].typicalDeg >= FULL_SHARE * readings[leading].typicalDeg;
    const comparable = this.measured[OTHER[near]] >= COMPARABLE_SHARE * this.measured[near];
    if (!comparable || observedView(window) === "sagittal") {
      return readings[follows || !comparable ? near : leading];
    }
    if (!follows) return readings[leading];
    if (this.exercise.laterality === "bilateral") return together;
    return { ...readings[leading], count: together.count, partial: together.partial };
  }
}

/** The side with more of it, the left at a tie. */
function greater(of: (side: BodySide) => number): BodySide {
  return of("left") >= of("right") ? "left" : "right";
}
