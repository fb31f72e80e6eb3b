import { describe, expect, it } from "vitest";
import { LANDMARK } from "../src/coach/landmarks";
import { frameOf, indexAt } from "../src/replay";

const RECORDED = {
  width: 640,
  height: 480,
  landmarks: [LANDMARK.LEFT_SHOULDER, LANDMARK.LEFT_ELBOW],
  tS: [0, 0.1, 0.5],
  points: [
    [0.5, 0.25, null, null],
    [0.5, 0.25, 0.75, 0.5],
    [null, null, null, null],
  ],
};

describe("replay", () => {
  it("shows the latest frame not after the time", () => {
    const shown = [-1, 0, 0.09, 0.1, 0.49, 0.5, 9].map((timeS) => indexAt(RECORDED.tS, timeS));
    expect(shown).toEqual([0, 0, 0, 1, 1, 2, 2]);
  });

  it("draws only what was seen", () => {
    const frame = frameOf(RECORDED, 0);
    expect([
      ...frame.image.slice(2 * LANDMARK.LEFT_SHOULDER, 2 * LANDMARK.LEFT_SHOULDER + 2),
    ]).toEqual([0.5, 0.25]);
    expect(frame.visibility[LANDMARK.LEFT_SHOULDER]).toBe(1);
    expect(frame.visibility[LANDMARK.LEFT_ELBOW]).toBe(0);
    expect(frame.visibility[LANDMARK.RIGHT_KNEE]).toBe(0);
    expect(frameOf(RECORDED, 2).visibility.every((seen) => seen === 0)).toBe(true);
  });
});
