import { describe, expect, it } from "vitest";
import { ActivityClock } from "../src/activity_clock";

describe("ActivityClock", () => {
  it("counts while there is input and stops sixty seconds after the last", () => {
    const clock = new ActivityClock(60_000);
    clock.input(0);
    clock.input(30_000);
    expect(clock.elapsed(300_000)).toBe(90_000);
    expect(clock.isActive(300_000)).toBe(false);
    expect(clock.take(300_000)).toEqual([{ start: 0, end: 90_000 }]);
  });

  it("begins a new stretch when the person comes back", () => {
    const clock = new ActivityClock(60_000);
    clock.input(0);
    clock.input(200_000);
    expect(clock.take(210_000)).toEqual([
      { start: 0, end: 60_000 },
      { start: 200_000, end: 210_000 },
    ]);
    expect(clock.elapsed(210_000)).toBe(70_000);
  });

  it("never gives the same moment twice", () => {
    const clock = new ActivityClock(60_000);
    clock.input(0);
    const first = clock.take(10_000);
    const second = clock.take(20_000);
    expect(first).toEqual([{ start: 0, end: 10_000 }]);
    expect(second).toEqual([{ start: 10_000, end: 20_000 }]);
    expect(clock.take(20_000)).toEqual([]);
  });

  it("does not count while paused", () => {
    const clock = new ActivityClock(60_000);
    clock.input(0);
    clock.pause(5_000);
    expect(clock.take(50_000)).toEqual([{ start: 0, end: 5_000 }]);
    expect(clock.elapsed(50_000)).toBe(5_000);
  });
});
