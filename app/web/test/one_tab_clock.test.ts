import { describe, expect, it } from "vitest";
import { ActivityClock } from "../src/activity_clock";
import { type Locks, OneTabClock } from "../src/one_tab_clock";

const IDLE_MS = 60_000;

/** One lock, given in the order of asking, as the browser's. */
class OneLock implements Locks {
  private last: Promise<unknown> = Promise.resolve();

  request(_name: string, use: () => Promise<void> | undefined): Promise<unknown> {
    this.last = this.last.then(use);
    return this.last;
  }
}

function tabs(count: number) {
  const time = { ms: 0 };
  const locks = new OneLock();
  const made = Array.from(
    { length: count },
    () => new OneTabClock(new ActivityClock(IDLE_MS), IDLE_MS, locks, () => time.ms),
  );
  return { time, made };
}

/** Lets everything run that waits for a lock, one holder after the other. */
const turn = async () => {
  for (let n = 0; n < 20; n++) await Promise.resolve();
};

function pair() {
  const { time, made } = tabs(2);
  const [first, second] = made;
  if (!first || !second) throw new Error("two tabs");
  return { time, first, second };
}

describe("OneTabClock", () => {
  it("counts in the tab used first, and in the other one only after it was idle", async () => {
    const { time, first, second } = pair();
    first.input();
    await turn();
    time.ms = 10_000;
    second.input();
    await turn();
    expect([first.state, second.state]).toEqual(["running", "elsewhere"]);
    time.ms = 50_000;
    second.input();
    time.ms = 60_000;
    first.tick();
    await turn();
    expect([first.state, second.state]).toEqual(["idle", "running"]);
    time.ms = 70_000;
    expect(first.take()).toEqual([{ start: 0, end: 60_000 }]);
    expect(second.take()).toEqual([{ start: 60_000, end: 70_000 }]);
  });

  it("counts to sixty seconds after the last input, also where it had to wait", async () => {
    const { time, first, second } = pair();
    first.input();
    await turn();
    time.ms = 30_000;
    second.input();
    time.ms = 40_000;
    first.pause();
    await turn();
    time.ms = 300_000;
    expect(second.take()).toEqual([{ start: 40_000, end: 90_000 }]);
  });

  it("does not begin in a tab that was left while it waited", async () => {
    const { time, first, second } = pair();
    first.input();
    await turn();
    time.ms = 5_000;
    second.input();
    second.pause();
    first.pause();
    await turn();
    time.ms = 20_000;
    expect([second.state, second.elapsed()]).toEqual(["idle", 0]);
    second.input();
    await turn();
    time.ms = 25_000;
    expect(second.take()).toEqual([{ start: 20_000, end: 25_000 }]);
  });

  it("never counts one moment in two tabs, whatever is done in which order", async () => {
    let seed = 7;
    const next = (below: number) => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return seed % below;
    };
    for (let round = 0; round < 40; round++) {
      const { time, made } = tabs(3);
      const taken: { start: number; end: number }[] = [];
      for (let step = 0; step < 60; step++) {
        time.ms += 1 + next(25_000);
        for (const tab of made) tab.tick();
        await turn();
        const tab = made[next(3)];
        if (next(5)) tab?.input();
        else tab?.pause();
        await turn();
        for (const each of made) taken.push(...each.take());
      }
      expect(taken.length).toBeGreaterThan(10);
      taken.sort((a, b) => a.start - b.start);
      taken.reduce((before, interval) => {
        expect(interval.start).toBeGreaterThanOrEqual(before.end);
        return interval;
      });
    }
  });
});
