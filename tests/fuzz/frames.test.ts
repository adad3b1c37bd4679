import { expect, test } from "bun:test";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { servedApis } from "@mantou/broker";
import { Episode } from "./episode.ts";
import { describeSummary, fuzzFrames } from "./frames.ts";
import type { FuzzBroker } from "./fuzz-broker.ts";

/** MANTOU_LONG=1 sends ten million frames, which takes a quarter of an hour. */
const FRAMES = process.env["MANTOU_LONG"] === "1" ? 10_000_000 : 100_000;
const TIMEOUT_MS = process.env["MANTOU_LONG"] === "1" ? 4 * 3600_000 : 120_000;
const seed = Number(process.env["MANTOU_SEED"] ?? Date.now() % 1_000_000);

/** A find that was mended, sent again for ever. */
interface Regression {
  /** What went wrong. */
  readonly found: string;
  /** Frames without their length, in hexadecimal, sent one after the other. */
  readonly frames: readonly string[];
}

const corpus = join(import.meta.dir, "corpus");

for (const file of readdirSync(corpus).sort()) {
  test(`corpus: ${file}`, () => {
    const { frames } = JSON.parse(readFileSync(join(corpus, file), "utf8")) as Regression;
    const bytes = frames.map((frame) => Uint8Array.from(Buffer.from(frame, "hex")));
    const result = new Episode(1).replay(bytes);
    expect(result.frames).toBeGreaterThanOrEqual(bytes.length);
    expect(result.faults).toEqual([]);
  });
}

for (const entry of servedApis) {
  test(`every length, count, marker and cut of ${entry.api.name}, all versions`, () => {
    const episode = new Episode(entry.api.key + 1);
    const result = episode.replay(episode.everyLie(entry));
    expect(result.frames).toBeGreaterThan(10);
    expect(result.faults).toEqual([]);
  });
}

test("the same seed gives the same run, to the last byte", () => {
  const first = new Episode(seed).run(3000);
  const second = new Episode(seed).run(3000);
  expect(first.faults).toEqual([]);
  expect({ ...second, rssPeak: 0 }).toEqual({ ...first, rssPeak: 0 });
  expect(first.trace).not.toBe(new Episode(seed + 1).run(3000).trace);
});

/** Each of these breaks something, and must be seen. */
const canaries: readonly (readonly [string, RegExp, (fuzzed: FuzzBroker) => void])[] = [
  ["a frame that is never released", /arenaBytes is/, ({ io }) => void io.arena.allocate(10)],
  ["a pin that is never released", /pins is 1/, ({ io }) => void io.pins.add(0, [])],
  [
    "an answer that never comes",
    /frames is 1/,
    ({ network }) => {
      const slot = network.connectClient();
      network.open.get(slot)?.waiting.set(0, {} as never);
    },
  ],
  [
    "an acknowledged record that is gone",
    /not there any more/,
    ({ disk }) => {
      for (const log of disk.directory("memory").logs.values()) {
        if (log.topic.startsWith("t")) log.truncate(log.startOffset);
      }
    },
  ],
  [
    "a handler that throws",
    /request_failed/,
    ({ broker }) => {
      broker.endpoints = () => {
        throw new Error("sabotage");
      };
      Object.defineProperty(broker, "clusterId", {
        get: () => {
          throw new Error("sabotage");
        },
      });
    },
  ],
];

for (const [what, alarm, sabotage] of canaries) {
  test(`canary: ${what} is noticed`, () => {
    const { faults } = new Episode(7, sabotage).run(2000);
    expect(faults.join("\n")).toMatch(alarm);
  });
}

test(
  `${FRAMES} frames, good and bad, seed ${seed}`,
  () => {
    const summary = fuzzFrames(FRAMES, seed);
    console.log(`fuzz: ${describeSummary(summary)}, seed ${seed}`);
    expect(summary.failed?.faults ?? [], `seed ${summary.failed?.seed}`).toEqual([]);
    // A run in which nothing gets through would find nothing.
    expect(summary.answered).toBeGreaterThan(FRAMES / 3);
    expect(summary.acknowledged).toBeGreaterThan(FRAMES / 100);
    expect(summary.errors.size).toBeGreaterThan(8);
  },
  TIMEOUT_MS,
);
