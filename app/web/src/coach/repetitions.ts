/** The rules of counting, as the record applies them (`vision/repetitions.py`). */

import { median, sum } from "./statistics";

export type Counting = "cycle" | "rise";

export const FULL_SHARE = 0.5;
export const CUT_SHARE = 0.65;
export const AT_REST_SHARE = 0.1;
export const SHORTEST_S = 0.35;
export const SHORT_GAP_S = 0.4;

/** A turning point: `high` if a peak; `cut` if the recording or a gap begins or ends there. */
export interface Turn {
  index: number;
  value: number;
  high: boolean;
  cut: boolean;
}

/** Rest, peak and rest. */
export type Movement = readonly [Turn, Turn, Turn];

/** How far a movement must go in deg, more where its rest was not seen. */
export class Reach {
  readonly least: number;
  private readonly leastCut: number;

  constructor(minimumRomDeg: number, typicalDeg: number) {
    this.least = Math.max(minimumRomDeg, FULL_SHARE * typicalDeg);
    this.leastCut = Math.max(this.least, CUT_SHARE * typicalDeg);
  }

  fromRest(peak: Turn, rest: Turn | undefined): boolean {
    return rest !== undefined && peak.value - rest.value >= (rest.cut ? this.leastCut : this.least);
  }
}

/** The longest gap that can't hide a whole repetition of this person. */
export function paceS(durationsS: readonly number[]): number {
  return durationsS.length > 0 ? Math.max(SHORT_GAP_S, median(durationsS)) : SHORT_GAP_S;
}

/** Alternating turning points of `values`, at least `leastDeg` between neighbours. */
export function turningPoints(values: readonly number[], leastDeg: number): Turn[] {
  const turns: Turn[] = [];
  let [low, high] = [0, 0];
  let seekingHigh: boolean | null = null;
  const of = (index: number) => values[index] ?? 0;
  values.forEach((value, index) => {
    if (value > of(high)) high = index;
    if (value < of(low)) low = index;
    if (seekingHigh !== false && of(high) - value >= leastDeg) {
      turns.push({ index: high, value: of(high), high: true, cut: turns.length === 0 });
      [seekingHigh, low] = [false, index];
    } else if (seekingHigh !== true && value - of(low) >= leastDeg) {
      turns.push({ index: low, value: of(low), high: false, cut: turns.length === 0 });
      [seekingHigh, high] = [true, index];
    }
  });
  if (seekingHigh === null) return [];
  const last = seekingHigh ? high : low;
  return [...turns, { index: last, value: of(last), high: seekingHigh, cut: true }];
}

/** Each movement that goes far enough; where reaching the peak counts, the way back may lack. */
export function wholeMovements(
  turns: readonly Turn[],
  reach: Reach,
  counting: Counting,
): Movement[] {
  return turns.flatMap((peak, position): Movement[] => {
    const [before, after] = [turns[position - 1], turns[position + 1]];
    if (!peak.high || before === undefined || !reach.fromRest(peak, before)) return [];
    if (counting !== "rise" && !reach.fromRest(peak, after)) return [];
    return [[before, peak, after ?? peak]];
  });
}

/** Each peak outside the spans `taken`; a cut one may be anything. */
export function partialMovements(
  turns: readonly Turn[],
  taken: readonly (readonly [number, number])[],
): Movement[] {
  return turns.flatMap((peak, position): Movement[] => {
    const [before, after] = [turns[position - 1], turns[position + 1]];
    const within = taken.some(([from, to]) => from <= peak.index && peak.index <= to);
    if (!peak.high || peak.cut || within || !before || !after) return [];
    return [[before, peak, after]];
  });
}

/** The median, each weighing its own size, so that wiggles can't outvote it; 0 of none. */
export function typicalExcursionDeg(excursionsDeg: readonly number[]): number {
  const sizes = [...excursionsDeg].sort((a, b) => a - b);
  const half = sum(sizes) / 2;
  let weight = 0;
  for (const size of sizes) {
    weight += size;
    if (weight >= half) return size;
  }
  return 0;
}
