/** The coach on the device against the server's, on recordings that the server's tests write. */

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { jointAngle } from "../src/coach/angles";
import type { Exercise } from "../src/coach/exercise";
import type { BodySide, Frame } from "../src/coach/landmarks";
import { LiveCoach } from "../src/coach/live_coach";
import { onTheSpot } from "../src/coach/place";

type Numbers = (number | null)[];

interface Case {
  name: string;
  exercise: Exercise;
  side: BodySide | null;
  width: number;
  height: number;
  frames: { t: number; image: Numbers; world: Numbers; visibility: number[] }[];
  readings: { count: number; partial: number; phase: string; angleDeg: number | null }[];
  angles: { name: string; side: BodySide; from: number; to: number; deg: Numbers }[];
  spot: boolean[];
}

const path = process.env.COACH_VECTORS;
if (!path) throw new Error("COACH_VECTORS names no file: run this by tests/web/test_parity.py");
const cases = JSON.parse(readFileSync(path, "utf-8")) as Case[];

function array(values: Numbers): Float64Array {
  return Float64Array.from(values, (value) => value ?? Number.NaN);
}

function framesOf(one: Case): Frame[] {
  return one.frames.map((frame) => ({
    tS: frame.t,
    image: array(frame.image),
    world: array(frame.world),
    visibility: array(frame.visibility),
  }));
}

describe.each(cases)("$name", (one) => {
  const size = { width: one.width, height: one.height };

  it("measures every angle within half a degree", () => {
    for (const asked of one.angles) {
      const frames = framesOf(one).slice(asked.from, asked.to);
      const found = jointAngle({ frames, ...size }, asked.name, asked.side);
      const apart = asked.deg.map((deg, index) => {
        const here = found[index] ?? Number.NaN;
        if (deg === null || Number.isNaN(here)) {
          return deg === null && Number.isNaN(here) ? 0 : Number.POSITIVE_INFINITY;
        }
        return Math.abs(deg - here);
      });
      expect(Math.max(...apart), `${asked.name} ${asked.side}`).toBeLessThan(0.5);
    }
  });

  it("tells walking from standing in the same frames", () => {
    expect(onTheSpot({ frames: framesOf(one), ...size })).toEqual(one.spot);
  });

  it("gives the same reading after every frame", () => {
    const coach = new LiveCoach(one.exercise, one.side, size);
    framesOf(one).forEach((frame, index) => {
      const { count, partial, phase, angleDeg } = coach.update(frame);
      const expected = one.readings[index];
      expect({ index, count, partial, phase }).toEqual({
        index,
        count: expected?.count,
        partial: expected?.partial,
        phase: expected?.phase,
      });
      if (expected?.angleDeg === null) expect(angleDeg).toBeNull();
      else expect(angleDeg).toBeCloseTo(expected?.angleDeg ?? Number.NaN, 1);
    });
  });
});
