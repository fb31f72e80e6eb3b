/** Counting while the movement happens (`vision/live_repetitions.py`): bounded and causal. */

import type { Exercise } from "./exercise";
import {
  AT_REST_SHARE,
  FULL_SHARE,
  type Movement,
  paceS,
  partialMovements,
  Reach,
  SHORT_GAP_S,
  SHORTEST_S,
  type Turn,
  turningPoints,
  typicalExcursionDeg,
  wholeMovements,
} from "./repetitions";
import { median } from "./statistics";

export type Phase = "rest" | "going" | "top" | "back";

const SIGMA_S = 0.06;

/** The low-pass that halves the same frequency as the record's Gaussian, 3 Hz. */
export const TIME_CONSTANT_S = (SIGMA_S * Math.sqrt(3)) / Math.sqrt(2 * Math.log(2));

const STILL_S = 0.2;
const KEPT = 64;

/** What is known after a frame; null where not measured. `angleDeg` lags by the smoothing. */
export interface Reading {
  count: number;
  partial: number;
  phase: Phase;
  angleDeg: number | null;
  typicalDeg: number;
}

/** A turning point, or what may become one: when first near it, at it and last near it. */
class Extreme {
  constructor(
    public atS: number,
    public value: number,
    public arrivedS = atS,
    public arrivedValue = value,
    public leftS = atS,
  ) {}

  follow(tS: number, value: number, near: number, sign: number): void {
    if (sign * value > sign * this.value) {
      [this.atS, this.value] = [tS, value];
      if (sign * this.arrivedValue < sign * value - near) {
        [this.arrivedS, this.arrivedValue] = [tS, value];
      }
    }
    if (sign * value >= sign * this.value - near) this.leftS = tS;
  }

  copy(): Extreme {
    return new Extreme(this.atS, this.value, this.arrivedS, this.arrivedValue, this.leftS);
  }
}

/** The median of the last three frames, then a first-order low-pass. */
class Smoothed {
  private recent: (readonly [number, number])[] = [];
  effort = 0;

  get lastS(): number | null {
    return this.recent.at(-1)?.[0] ?? null;
  }

  push(tS: number, effort: number): void {
    const since = this.lastS === null ? null : tS - this.lastS;
    this.recent = [...this.recent.slice(-2), [tS, effort]];
    const middle = median(this.recent.map(([, value]) => value));
    const gain = since === null ? 1 : 1 - Math.exp(-since / TIME_CONSTANT_S);
    this.effort += gain * (middle - this.effort);
  }
}

interface Lasting {
  start: number;
  peak: number;
  end: number;
  lastedS: number;
}

interface Tally {
  whole: Lasting[];
  partial: Lasting[];
  typicalDeg: number;
}

export class LiveCounter {
  private readonly sign: number;
  private smoothed = new Smoothed();
  private lastS: number | null = null;
  private stretchFromS = 0;
  private turns: Extreme[] = [];
  private firstIsHigh = false;
  private seekingHigh: boolean | null = null;
  private high: Extreme | null = null;
  private low: Extreme | null = null;
  private excursionsDeg: number[] = [];
  private typicalDeg = 0;
  private gapS = SHORT_GAP_S;
  private counted = 0;
  private partial = 0;
  private phase: Phase = "rest";
  private rest = 0;
  private extreme: Extreme | null = null;

  constructor(private readonly exercise: Exercise) {
    this.sign = exercise.angle.targetDeg > exercise.angle.restDeg ? 1 : -1;
  }

  /** The reading after the frame at `tS`; null or NaN where nothing was measured. */
  update(tS: number, angleDeg: number | null): Reading {
    if (!Number.isFinite(tS) || (this.lastS !== null && tS <= this.lastS)) {
      throw new Error(`the time of a frame, ${tS} s, does not increase`);
    }
    this.lastS = tS;
    const measured = angleDeg !== null && Number.isFinite(angleDeg);
    if (measured) this.measure(tS, angleDeg);
    let tally = this.tally();
    this.typicalDeg = tally.typicalDeg;
    if (tally.whole.length > 0) this.gapS = paceS(tally.whole.map((each) => each.lastedS));
    if (this.turns.length > KEPT) {
      this.settle(tally);
      tally = this.tally();
    }
    return {
      count: this.counted + tally.whole.length,
      partial: this.partial + tally.partial.length,
      phase: this.phase,
      angleDeg: measured ? this.sign * this.smoothed.effort : null,
      typicalDeg: tally.typicalDeg,
    };
  }

  private get minimumDeg(): number {
    return this.exercise.angle.minimumRomDeg;
  }

  private measure(tS: number, angleDeg: number): void {
    const lastS = this.smoothed.lastS;
    if (lastS !== null && tS - lastS > this.gapS) this.closeStretch();
    if (this.smoothed.lastS === null) this.stretchFromS = tS;
    this.smoothed.push(tS, this.sign * angleDeg);
    const near = AT_REST_SHARE * Math.max(this.typicalDeg, this.minimumDeg / FULL_SHARE);
    this.turn(tS, near);
    this.findPhase(tS, near);
  }

  private turn(tS: number, near: number): void {
    const value = this.smoothed.effort;
    this.high ??= new Extreme(tS, value);
    this.low ??= new Extreme(tS, value);
    this.high.follow(tS, value, near, 1);
    this.low.follow(tS, value, near, -1);
    if (this.seekingHigh !== false && this.high.value - value >= this.minimumDeg) {
      this.confirm(this.high, true);
      this.low = new Extreme(tS, value);
    } else if (this.seekingHigh !== true && value - this.low.value >= this.minimumDeg) {
      this.confirm(this.low, false);
      this.high = new Extreme(tS, value);
    }
  }

  private confirm(extreme: Extreme, high: boolean): void {
    const last = this.turns.at(-1);
    if (last) {
      const excursion = Math.abs(extreme.value - last.value);
      this.excursionsDeg = [...this.excursionsDeg.slice(1 - KEPT), excursion];
    } else {
      this.firstIsHigh = high;
    }
    this.turns.push(extreme.copy());
    this.seekingHigh = !high;
  }

  /** Judges the turning points kept and the one under way, as the record would. */
  private tally(): Tally {
    const running = this.seekingHigh ? this.high : this.low;
    const last = this.turns.at(-1);
    if (this.seekingHigh === null || running === null || last === undefined) {
      return { whole: [], partial: [], typicalDeg: typicalExcursionDeg(this.excursionsDeg) };
    }
    const points = [...this.turns, running];
    const underWay = Math.abs(running.value - last.value);
    const typicalDeg = typicalExcursionDeg([...this.excursionsDeg, underWay]);
    const reach = new Reach(this.minimumDeg, typicalDeg);
    const values = points.map((point) => point.value);
    const coarse = turningPoints(values, reach.least).map((each) => ({
      ...each,
      cut: this.isCut(each, points[each.index] ?? running),
    }));
    const whole = lasting(points, wholeMovements(coarse, reach, this.exercise.angle.counting));
    const fine = values.map((value, index) => ({
      index,
      value,
      high: (index % 2 === 0) === this.firstIsHigh,
      cut: index === 0 || index === points.length - 1,
    }));
    const taken = whole.map((each) => [each.start, each.end] as const);
    return { whole, partial: lasting(points, partialMovements(fine, taken)), typicalDeg };
  }

  /** A rest that lasted is not cut, though the stretch begins or ends in it. */
  private isCut(turn: Turn, point: Extreme): boolean {
    const nowS = this.smoothed.lastS ?? 0;
    const lastedS = Math.min(point.atS - this.stretchFromS, nowS - point.atS);
    return turn.cut && (turn.high || lastedS < SHORTEST_S);
  }

  /** Takes the oldest movement as it stands, so that the memory stays bounded. */
  private settle(tally: Tally): void {
    const [first] = tally.whole;
    const settled = first && first.end < this.turns.length ? first : null;
    const end = settled ? settled.end : 2;
    this.counted += settled ? 1 : 0;
    this.partial += tally.partial.filter((each) => each.peak < end).length;
    this.firstIsHigh = this.firstIsHigh === (end % 2 === 0);
    this.turns = this.turns.slice(end);
  }

  /** A gap as long as a repetition may hide one: what came before stands as it is. */
  private closeStretch(): void {
    const tally = this.tally();
    this.counted += tally.whole.length;
    this.partial += tally.partial.length;
    this.turns = [];
    this.seekingHigh = this.high = this.low = this.extreme = null;
    this.phase = "rest";
    this.smoothed = new Smoothed();
  }

  /** Leaving by `near`, arriving by standing still within `near`. */
  private findPhase(tS: number, near: number): void {
    const value = this.smoothed.effort;
    if (this.extreme === null) {
      this.extreme = new Extreme(tS, value);
      this.rest = value;
    }
    const upwards = this.phase === "going" || this.phase === "top";
    const sign = upwards ? 1 : -1;
    this.extreme.follow(tS, value, near, sign);
    if (sign * (this.extreme.value - value) > near) {
      if (!upwards) this.rest = this.extreme.value;
      this.phase = upwards ? "back" : "going";
      this.extreme = new Extreme(tS, value);
      return;
    }
    const halfWay = (FULL_SHARE * near) / AT_REST_SHARE;
    const still = tS - this.extreme.arrivedS >= STILL_S;
    const up = value - this.rest;
    if (upwards) this.phase = still && up >= halfWay ? "top" : "going";
    else if (up <= near || (still && up < halfWay)) this.phase = "rest";
  }
}

/** As the record trims a movement, on turning points alone. */
function lasting(points: readonly Extreme[], movements: readonly Movement[]): Lasting[] {
  return movements.flatMap(([before, peak, after]): Lasting[] => {
    const up = before.value + AT_REST_SHARE * (peak.value - before.value);
    const down = after.value + AT_REST_SHARE * (peak.value - after.value);
    let start = peak.index;
    while (start > before.index && (points[start]?.value ?? 0) > up) start -= 1;
    let end = peak.index;
    while (end < after.index && (points[end]?.value ?? 0) > down) end += 1;
    const lastedS = (points[end]?.arrivedS ?? 0) - (points[start]?.leftS ?? 0);
    if (lastedS < SHORTEST_S) return [];
    return [{ start, peak: peak.index, end, lastedS }];
  });
}
