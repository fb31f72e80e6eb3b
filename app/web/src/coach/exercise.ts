/** What of an exercise's definition the coach needs; the server sends it as JSON. */

import type { Counting } from "./repetitions";

export interface PrimaryAngle {
  name: string;
  restDeg: number;
  targetDeg: number;
  minimumRomDeg: number;
  counting: Counting;
}

/** An angle beyond `bound` deg for at least `minimumDurationS`. */
export interface Fault {
  measure: string;
  comparison: "above" | "below";
  bound: number;
  minimumDurationS: number;
  cue: string;
}

export interface Exercise {
  id: string;
  laterality: "bilateral" | "unilateral";
  angle: PrimaryAngle;
  faults: readonly Fault[];
}

export interface Dose {
  sets: number;
  repetitions: number;
  holdS: number;
  restS: number;
}
