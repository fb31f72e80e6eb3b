import { describe, expect, it } from "vitest";
import { SetKeeper } from "../src/live/set_keeper";

const DOSE = { sets: 2, repetitions: 3, holdS: 0, restS: 30 };

describe("sets", () => {
  it("rest after the last repetition, then count from nothing", () => {
    const sets = new SetKeeper(DOSE);
    expect(sets.update(0, 0)).toEqual({ kind: "moving", set: 1, done: 0 });
    expect(sets.update(5, 2)).toEqual({ kind: "moving", set: 1, done: 2 });
    expect(sets.update(9, 3)).toEqual({ kind: "resting", set: 1, leftS: 30 });
    expect(sets.update(19, 3)).toEqual({ kind: "resting", set: 1, leftS: 20 });
    expect(sets.update(39, 3)).toEqual({ kind: "moving", set: 2, done: 0 });
    expect(sets.update(50, 6)).toEqual({ kind: "finished" });
    expect(sets.update(60, 5)).toEqual({ kind: "finished" });
  });

  it("go on at once when the person wants to", () => {
    const sets = new SetKeeper(DOSE);
    sets.update(0, 3);
    sets.goOn();
    expect(sets.update(1, 3)).toEqual({ kind: "moving", set: 2, done: 0 });
  });

  it("leave out what is moved during the rest", () => {
    const sets = new SetKeeper(DOSE);
    sets.update(0, 3);
    expect(sets.update(10, 5).kind).toBe("resting");
    expect(sets.update(31, 5)).toEqual({ kind: "moving", set: 2, done: 0 });
  });

  it("never show less than nothing when the coach takes a repetition back", () => {
    const sets = new SetKeeper(DOSE);
    sets.update(0, 3);
    expect(sets.update(31, 3)).toEqual({ kind: "moving", set: 2, done: 0 });
    expect(sets.update(32, 2)).toEqual({ kind: "moving", set: 2, done: 0 });
    expect(sets.update(33, 3)).toEqual({ kind: "moving", set: 2, done: 1 });
  });
});
