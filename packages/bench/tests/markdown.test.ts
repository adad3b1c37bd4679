import { describe, expect, test } from "bun:test";
import { estimatedSeconds } from "../src/estimate.ts";
import type { Measurement } from "../src/figures.ts";
import { FULL, QUICK, turnsOf } from "../src/forms.ts";
import { markdownReport } from "../src/report/markdown.ts";
import { readResults, type Results, resultsOf } from "../src/results.ts";
import { memoryFigures } from "../src/run-memory.ts";
import { turnsOfBlock } from "../src/scenarios.ts";

const ROW = "produce-16p-64k";
const measurements: Measurement[] = [
  { row: ROW, variant: "kafka-stock", turn: 0, figures: { mbPerSecond: 400, cpuPerGb: 3 } },
  { row: ROW, variant: "ours-fsync", turn: 1, figures: { mbPerSecond: 300, cpuPerGb: 1.2 } },
  { row: ROW, variant: "ours-page-cache", turn: 1, figures: { mbPerSecond: 8000 } },
  { row: "broker", variant: "ours-fsync", turn: 1, figures: { gcPauseMs: 25 } },
  { row: "broker", variant: "ours-fsync", turn: 2, figures: { gcPauseMs: 30 } },
];
const results: Results = {
  ...resultsOf("quick", measurements),
  secondsPerRun: 2,
  turns: turnsOf(1),
  machine: {
    processor: "A fast one",
    processors: 2,
    memoryGb: 24,
    system: "Linux 6.18",
    isVirtual: true,
    fileSystem: "ext4 rw",
    loadAverage: 0.2,
  },
  brokers: { mantou: "mantou 1", kafka: "Apache Kafka 4.3.0" },
  tookSeconds: 130,
};

describe("the summary for documentation", () => {
  const text = markdownReport(results);

  test("has a row for each figure, and bold where an aim was missed", () => {
    expect(text).toContain(
      "| produce, 16 partitions, 64 KB | throughput, MB/s | 400 | | 300 | 8000 | **0.75** | | 20 |",
    );
    expect(text).toContain("| | machine CPU, s/GB | 3.00 | | 1.20 | | 0.40 | | |");
  });

  test("holds ours to what Kafka has no part in", () => {
    expect(text).toMatch(/\| longest pause of a garbage collection, ms \| \| \| \*\*27.5\*\* \|/);
  });

  test("says what it was and where we are behind", () => {
    expect(text).toContain(
      "The quick form, 2 s a run, 2 minutes. 2 virtual processors (A fast one)",
    );
    expect(text).toContain("\nBehind Kafka, or short of an aim:\n\n- ");
    const columns = text.split("\n").filter((line) => line.startsWith("|"));
    for (const line of columns) expect(line.split("|")).toHaveLength(11);
  });
});

test("results are judged anew from a file, and nothing else is taken for results", () => {
  expect(readResults(JSON.stringify({ ...results, lines: [], losses: [] }))).toEqual(results);
  expect(() => readResults(`{"format": 2}`)).toThrow("does not hold results");
});

test("what has failed is told before anything is believed", () => {
  const { warnings, failures } = resultsOf("quick", measurements, ["a row: no answer"]);
  expect(failures).toEqual(["a row: no answer"]);
  expect(warnings[0]).toBe("failed, and not in the figures: a row: no answer");
});

test("memory is that of the first minute and of the last", () => {
  const samples = Array.from({ length: 600 }, (_, second): number => (second < 60 ? 100 : 120));
  samples[300] = 150;
  expect(memoryFigures(samples)).toEqual({
    firstMinuteMb: 100,
    lastMinuteMb: 120,
    mostMb: 150,
    memoryGrowth: 1.2,
  });
  expect(memoryFigures([1, 3]).memoryGrowth).toBe(3);
});

describe("the forms", () => {
  test("blocks that take long have fewer turns, and still Kafka's first", () => {
    const [short] = FULL.blocks.filter(({ repetitionsMax }) => repetitionsMax === 1);
    expect(short && turnsOfBlock(FULL, short)).toEqual(["kafka", "mantou"]);
    const [whole] = FULL.blocks;
    expect(whole && turnsOfBlock(FULL, whole)).toEqual(turnsOf(5));
  });

  test("take two or three minutes, and an hour or two", () => {
    expect(estimatedSeconds(QUICK)).toBeLessThan(200);
    expect(estimatedSeconds(FULL)).toBeLessThan(2 * 3600);
    expect(estimatedSeconds(FULL)).toBeGreaterThan(10 * 60);
  });
});
