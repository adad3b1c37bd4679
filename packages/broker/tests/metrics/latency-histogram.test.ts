import { expect, test } from "bun:test";
import { Prng } from "@mantou/base";
import { LatencyHistogram } from "../../src/metrics/latency-histogram.ts";

test.each(["coarse", "fine"] as const)(
  "%s: every duration is counted where it belongs",
  (detail) => {
    const prng = new Prng(11);
    const histogram = new LatencyHistogram(detail);
    const micros: number[] = [
      0,
      1,
      7,
      8,
      31,
      32,
      33,
      47,
      48,
      63,
      64,
      2 ** 25 - 1,
      2 ** 25,
      2 ** 40,
    ];
    for (let index = 0; index < 5000; index += 1) {
      micros.push(prng.below(2 ** (1 + prng.below(27))));
    }
    for (const value of micros) histogram.observeMs(value / 1000);
    const { bounds, counts, sum } = histogram.view();
    expect(counts.length).toBe(bounds.length + 1);
    let total = 0;
    for (const [index, bound] of bounds.entries()) {
      total += counts[index] as number;
      // Bounds are whole microseconds; what lies on one counts as above it.
      const below = micros.filter((value) => value < Math.round(bound * 1e6)).length;
      // A thousandth and back may lose the last bit of a whole number of microseconds.
      expect(Math.abs(total - below)).toBeLessThanOrEqual(2);
    }
    expect(counts.reduce((all, count) => all + count)).toBe(micros.length);
    expect(histogram.count).toBe(micros.length);
    expect(sum).toBeCloseTo(micros.reduce((all, value) => all + value) / 1e6, 6);
  },
);

test("bounds ascend, by no more than half", () => {
  const { bounds } = new LatencyHistogram().view();
  for (let index = 1; index < bounds.length; index += 1) {
    const ratio = (bounds[index] as number) / (bounds[index - 1] as number);
    expect(ratio).toBeGreaterThan(1);
    expect(ratio).toBeLessThanOrEqual(1.5);
  }
});

test("pauses of some milliseconds are told to an eighth of them", () => {
  const { bounds } = new LatencyHistogram("fine").view();
  const near = bounds.filter((bound) => bound > 0.0041 && bound < 0.066);
  for (let index = 1; index < near.length; index += 1) {
    expect((near[index] as number) / (near[index - 1] as number)).toBeLessThanOrEqual(1.126);
  }
  const coarse = new LatencyHistogram().view().bounds;
  // One metric has the same bounds as the other, and some more: both can be shown together.
  expect(coarse.filter((bound) => !bounds.includes(bound))).toEqual([]);
  expect(bounds.length - coarse.length).toBe(24);
});

test("a clock that goes back counts as nothing", () => {
  const histogram = new LatencyHistogram();
  histogram.observeMs(-5);
  expect(histogram.view().counts[0]).toBe(1);
});
