import { expect, test } from "bun:test";
import { simulate } from "../src/index.ts";

const STEPS = 2_500;
const TIMEOUT_MS = 300_000;

test(
  "the same seed is the same run",
  () => {
    for (const seed of [11, 12, 13]) {
      const lines: string[] = [];
      const first = simulate({ seed, steps: STEPS, trace: (line) => lines.push(line) });
      const again: string[] = [];
      const second = simulate({ seed, steps: STEPS, trace: (line) => again.push(line) });
      // The first line that differs says more than two hashes.
      const differs = lines.findIndex((line, index) => line !== again[index]);
      expect(differs === -1 ? "" : `${lines[differs]} | ${again[differs]}`).toBe("");
      expect(second).toEqual(first);
      expect(first.faults).toEqual([]);
    }
  },
  TIMEOUT_MS,
);

test(
  "another seed is another run",
  () => {
    const hashes = [1, 2, 3, 4].map((seed) => simulate({ seed, steps: 500 }).hash);
    expect(new Set(hashes).size).toBe(4);
  },
  TIMEOUT_MS,
);

test(
  "a run reads neither the clock nor chance of the real world",
  () => {
    const real = { now: Date.now, random: Math.random, monotonic: performance.now };
    const read: string[] = [];
    const watch = (what: string): number => {
      read.push(`${what} ${new Error().stack}`);
      return 0.5;
    };
    try {
      Date.now = () => watch("Date.now");
      Math.random = () => watch("Math.random");
      performance.now = () => watch("performance.now");
      simulate({ seed: 5, steps: 1_000 });
    } finally {
      Date.now = real.now;
      Math.random = real.random;
      performance.now = real.monotonic;
    }
    expect(read).toEqual([]);
  },
  TIMEOUT_MS,
);
