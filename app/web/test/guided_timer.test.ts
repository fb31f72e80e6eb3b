import { describe, expect, it } from "vitest";
import { GuidedTimer, type Moment, READY_S, RELAX_S } from "../src/guided/timer";

const MOVES = { sets: 2, repetitions: 3, holdS: 0, restS: 30 };
const HOLDS = { sets: 2, repetitions: 2, holdS: 5, restS: 10 };
const WALK = { sets: 1, repetitions: 1, holdS: 900, restS: 30 };
const PACE_S = 4;

/** The moment at `atS` after the start, seen in steps of `everyS`. */
function at(timer: GuidedTimer, atS: number, everyS = 0.2): Moment {
  let moment = timer.update(0);
  for (let s = everyS; s <= atS + 1e-9; s += everyS) moment = timer.update(s);
  return moment;
}

function rounded(moment: Moment): Moment {
  return "leftS" in moment ? { ...moment, leftS: Math.round(moment.leftS) } : moment;
}

describe("a guided exercise", () => {
  it("lets the person get ready first", () => {
    const timer = new GuidedTimer(MOVES, PACE_S);
    expect(rounded(at(timer, 2))).toEqual({ kind: "ready", leftS: READY_S - 2 });
    expect(timer.count).toBe(0);
    expect(timer.exercisedS).toBe(0);
  });

  it("paces repetitions, rests after a set and counts on in the next", () => {
    const seen = (s: number): Moment => rounded(at(new GuidedTimer(MOVES, PACE_S), READY_S + s));
    expect(seen(1)).toEqual({ kind: "move", set: 1, done: 0, leftS: 3 });
    expect(seen(5)).toEqual({ kind: "move", set: 1, done: 1, leftS: 3 });
    expect(seen(13)).toEqual({ kind: "rest", set: 1, leftS: 29 });
    expect(seen(43)).toEqual({ kind: "move", set: 2, done: 0, leftS: 3 });
    expect(seen(47)).toEqual({ kind: "move", set: 2, done: 1, leftS: 3 });
    expect(seen(55)).toEqual({ kind: "finished" });
  });

  it("holds, lets go, and counts a hold when it is over", () => {
    const seen = (s: number): Moment => rounded(at(new GuidedTimer(HOLDS, PACE_S), READY_S + s));
    expect(seen(2)).toEqual({ kind: "hold", set: 1, done: 0, leftS: 3 });
    expect(seen(6)).toEqual({ kind: "relax", set: 1, done: 1, leftS: RELAX_S - 1 });
    expect(seen(10)).toEqual({ kind: "hold", set: 1, done: 1, leftS: 3 });
    // No letting go to wait for after the last hold.
    expect(seen(14)).toEqual({ kind: "rest", set: 1, leftS: 9 });
  });

  it("counts a single long hold down to its end", () => {
    const timer = new GuidedTimer(WALK, PACE_S);
    expect(rounded(at(timer, READY_S + 600, 1))).toMatchObject({ kind: "hold", leftS: 300 });
    timer.update(READY_S + 901);
    expect(timer.update(READY_S + 902)).toEqual({ kind: "finished" });
    expect(timer.count).toBe(1);
    expect(Math.round(timer.exercisedS)).toBe(900);
  });

  it("stands still in a pause and goes on where it was", () => {
    const timer = new GuidedTimer(MOVES, PACE_S);
    const before = at(timer, READY_S + 6);
    expect(timer.togglePause(READY_S + 6)).toBe(true);
    expect(timer.update(READY_S + 500)).toEqual(before);
    expect(timer.togglePause(READY_S + 500)).toBe(false);
    const after = rounded(timer.update(READY_S + 501));
    expect(after).toEqual({ kind: "move", set: 1, done: 1, leftS: 1 });
  });

  it("begins the next set at once when the person wants no more rest", () => {
    const timer = new GuidedTimer(MOVES, PACE_S);
    at(timer, READY_S + 14);
    timer.goOn();
    expect(timer.update(READY_S + 14.5)).toMatchObject({ kind: "move", set: 2, done: 0 });
  });

  it("comes to the same however seldom the page wakes", () => {
    for (const dose of [MOVES, HOLDS]) {
      for (let s = 1; s < 80; s += 7) {
        const often = new GuidedTimer(dose, PACE_S);
        const once = new GuidedTimer(dose, PACE_S);
        const seen = rounded(at(often, s, 0.25));
        once.update(0);
        expect(rounded(once.update(s))).toEqual(seen);
        expect(once.count).toBe(often.count);
      }
    }
  });

  it("ends with exactly the dose", () => {
    for (const dose of [MOVES, HOLDS]) {
      const timer = new GuidedTimer(dose, PACE_S);
      timer.update(0);
      expect(timer.update(10_000)).toEqual({ kind: "finished" });
      expect(timer.count).toBe(dose.sets * dose.repetitions);
      expect(timer.exercisedS).toBeLessThan(80);
    }
  });
});
