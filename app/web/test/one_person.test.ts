import { describe, expect, it } from "vitest";
import {
  type Frame,
  fitted,
  LANDMARK,
  LANDMARK_COUNT,
  withoutAnyone,
} from "../src/coach/landmarks";
import { Absence } from "../src/live/absence";
import { OnePerson } from "../src/live/one_person";

const SIZE = { width: 640, height: 480 };

/** Somebody who stands with the hips at (`x`, `y`), as fractions of the picture. */
function person(tS: number, x: number, height = 0.8, y = 0.5): Frame {
  const frame = withoutAnyone({ tS } as Frame);
  frame.image = new Float64Array(2 * LANDMARK_COUNT).fill(0.5);
  const put = (name: keyof typeof LANDMARK, dx: number, dy: number) =>
    frame.image.set([x + dx * height, y + dy * height], 2 * LANDMARK[name]);
  for (const [side, dx] of [
    ["LEFT", 0.05],
    ["RIGHT", -0.05],
  ] as const) {
    put(`${side}_SHOULDER`, 1.5 * dx, -0.29);
    put(`${side}_HIP`, dx, 0);
    put(`${side}_KNEE`, dx, 0.25);
  }
  return frame;
}

function others(frames: Frame[]): boolean[] {
  const one = new OnePerson(SIZE);
  return frames.map((frame) => one.isAnother(frame));
}

describe("the one person who is followed", () => {
  it("is the same when moving about", () => {
    const walking = Array.from({ length: 60 }, (_, n) => person(n / 20, 0.2 + n / 100));
    expect(others(walking)).not.toContain(true);
  });

  it("is not the one whom the tracker jumps to, until it jumps back", () => {
    const frames = [0, 1, 2, 3].map((n) => person(n / 10, 0.3));
    frames.push(...[4, 5].map((n) => person(n / 10, 0.8)), person(0.6, 0.3), person(0.7, 0.3));
    expect(others(frames)).toEqual([false, false, false, false, true, true, false, false]);
  });

  it("is not another size a moment later", () => {
    expect(others([person(0, 0.5), person(0.1, 0.5), person(0.2, 0.5, 0.4)])).toEqual([
      false,
      false,
      true,
    ]);
  });

  it("is the one seen for longer, if the first was a slip of the tracker", () => {
    expect(others([0, 1, 2, 3].map((n) => person(n / 10, n === 0 ? 0.9 : 0.2)))).toEqual([
      false,
      true,
      false,
      false,
    ]);
  });

  it("may come back elsewhere after a while out of the picture", () => {
    const gone = withoutAnyone(person(1, 0.2));
    expect(others([person(0, 0.2), gone, person(2, 0.7)])).toEqual([false, false, false]);
  });
});

describe("absence", () => {
  it("is told once, after two seconds, and its end too", () => {
    const absence = new Absence();
    const told = Array.from({ length: 60 }, (_, n) => {
      const there = n < 10 || n >= 50;
      return absence.update(there ? person(n / 10, 0.5) : withoutAnyone(person(n / 10, 0.5)));
    });
    expect(told.flatMap((word, n) => (word ? [[n, word]] : []))).toEqual([
      [29, "gone"],
      [50, "back"],
    ]);
  });
});

it("keeps the pixels of a picture whose size changed in mid-session", () => {
  const turned = fitted(person(0, 0.5), { width: 480, height: 640 }, SIZE);
  const knee = 2 * LANDMARK.LEFT_KNEE;
  expect((turned.image[knee] ?? 0) * 640).toBeCloseTo(0.54 * 480);
  expect((turned.image[knee + 1] ?? 0) * 480).toBeCloseTo(0.7 * 640);
});
