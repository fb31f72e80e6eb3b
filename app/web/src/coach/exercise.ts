/** What of an exercise's definition the coach needs; the server sends it as JSON. */

import type { Counting } from "./repetitions";

export interface PrimaryAngle {
  name: string;
  restDeg: number;
  targetDeg: number;
  minimumRomDeg: number;
  counting: Counting;
}

export interface Exercise {
  id: string;
  laterality: "bilateral" | "unilateral";
  angle: PrimaryAngle;
}
