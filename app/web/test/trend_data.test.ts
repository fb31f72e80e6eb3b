import { expect, test } from "vitest";
import { degreesShown } from "../src/trend_data";

const labels = { rom: "°", pain: "0–10" };

test("the degrees shown reach from zero above the highest value and the target", () => {
  const data = { labels, t_s: [0, 1], rom_deg: [40, null], target_deg: { at: 100, upwards: true } };
  expect(degreesShown(data)[0]).toBe(0);
  expect(degreesShown(data)[1]).toBeCloseTo(110);
});

test("a joint that goes below zero is shown whole", () => {
  expect(degreesShown({ labels, t_s: [0], rom_deg: [-12] })).toEqual([-12, 11]);
});
