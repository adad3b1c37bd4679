import { describe, expect, test } from "bun:test";
import { cpuFigures, type Measurement } from "../src/figures.ts";
import { judge, losses, summarize, warnings } from "../src/summary.ts";
import type { Target } from "../src/targets.ts";

const measured = (
  variant: Measurement["variant"],
  figures: Measurement["figures"],
  row = "produce-1p-64k",
): Measurement => ({ row, variant, turn: 0, figures });

const rows = [{ id: "produce-1p-64k", title: "produce, 1 partition" }];

describe("judging", () => {
  test("against the aim where there is one", () => {
    expect(judge("mbPerSecond", 2, 2)).toBe("reached");
    expect(judge("mbPerSecond", 1.9, 2)).toBe("missed");
    expect(judge("cpuPerGb", 0.3, 0.3)).toBe("reached");
    expect(judge("cpuPerGb", 0.31, 0.3)).toBe("missed");
  });

  test("against Kafka where there is none", () => {
    expect(judge("mbPerSecond", 1.1, null)).toBe("ahead");
    expect(judge("mbPerSecond", 0.9, null)).toBe("behind");
    expect(judge("p99Ms", 1.1, null)).toBe("behind");
  });
});

describe("the summary", () => {
  test("medians per variant, and each of ours against its opponents", () => {
    const measurements = [
      measured("kafka-stock", { mbPerSecond: 100 }),
      measured("ours-fsync", { mbPerSecond: 150 }),
      measured("ours-fsync", { mbPerSecond: 250 }),
      measured("kafka-stock", { mbPerSecond: 300 }),
      measured("kafka-flush1", { mbPerSecond: 20 }),
    ];
    const targets: Target[] = [
      {
        row: "produce-1p-64k",
        figure: "mbPerSecond",
        ours: "ours-fsync",
        theirs: "kafka-flush1",
        ratio: 4,
      },
    ];
    const [line, ...rest] = summarize(measurements, rows, targets);
    expect(rest).toEqual([]);
    expect(line?.values.map(({ variant, spread }) => [variant, spread.median])).toEqual([
      ["kafka-stock", 200],
      ["kafka-flush1", 20],
      ["ours-fsync", 200],
    ]);
    expect(line?.comparisons).toEqual([
      {
        ours: "ours-fsync",
        theirs: "kafka-stock",
        ratio: { ratio: 1, min: 250 / 300, max: 1.5, pairs: 2 },
        target: null,
        verdict: "ahead",
      },
      {
        ours: "ours-fsync",
        theirs: "kafka-flush1",
        ratio: { ratio: 10, min: 7.5, max: 7.5, pairs: 1 },
        target: 4,
        verdict: "reached",
      },
    ]);
  });

  test("latency at full load is left out, at a fixed rate it is not", () => {
    const figures = { p99Ms: 4 };
    const paced = { id: "half-stock-16p-64k", title: "paced" };
    const measurements = [
      measured("kafka-stock", figures),
      measured("kafka-stock", figures, paced.id),
    ];
    const lines = summarize(measurements, [...rows, paced], []);
    expect(lines.map(({ row }) => row)).toEqual([paced.id]);
  });

  test("the throughput of a paced row is shown and not judged", () => {
    const paced = { id: "half-stock-16p-64k", title: "paced" };
    const measurements = [
      measured("kafka-stock", { mbPerSecond: 50 }, paced.id),
      measured("ours-fsync", { mbPerSecond: 49 }, paced.id),
    ];
    const [line] = summarize(measurements, [paced], []);
    expect(line?.values).toHaveLength(2);
    expect(line?.comparisons).toEqual([]);
  });

  test("losses name what is behind Kafka and what misses its aim", () => {
    const measurements = [
      measured("kafka-stock", { mbPerSecond: 100, cpuPerGb: 2, ownCpuPerGb: 1 }),
      measured("ours-fsync", { mbPerSecond: 90, cpuPerGb: 1, ownCpuPerGb: 0.2 }),
    ];
    const targets: Target[] = [
      {
        row: "produce-1p-64k",
        figure: "cpuPerGb",
        ours: "ours-fsync",
        theirs: "kafka-stock",
        ratio: 0.45,
      },
    ];
    const texts = losses(summarize(measurements, rows, targets));
    expect(texts).toEqual([
      "produce, 1 partition, throughput: mantou, fsync against Kafka, stock 0.90×: behind",
      "produce, 1 partition, machine CPU: mantou, fsync against Kafka, stock 0.50× (wanted: 0.45): " +
        "ahead, but short of the aim",
    ]);
  });
});

test("runs that others have spoilt are named", () => {
  const quiet = { ...measured("ours-fsync", {}), strangerShare: 0.01, stealShare: 0 };
  const loud = { ...measured("ours-fsync", {}), strangerShare: 0.4, stealShare: 0.05 };
  expect(warnings([quiet])).toEqual([]);
  expect(warnings([quiet, loud])).toEqual([
    "in 1 of 2 runs other processes took more than 3 % of the processors, up to 40 %: " +
      "machine CPU holds theirs too, and throughput and latency are those of a busy machine",
    "in 1 runs the hypervisor took more than 3 %, up to 5 %",
  ]);
});

test("a machine that stands still is named, and nobody's gain", () => {
  const stood = (variant: Measurement["variant"], standstillMs: number) =>
    measured(variant, { standstillMs }, "broker");
  const measurements = [stood("ours-fsync", 8), stood("kafka-stock", 38.4)];
  expect(warnings(measurements.slice(0, 1))).toEqual([]);
  expect(warnings(measurements)).toEqual([
    "all processors stood still at once for up to 38 ms: that is in every latency",
  ]);
  const [line] = summarize(measurements, []);
  expect(line?.figure).toBe("standstillMs");
  expect(line?.comparisons).toEqual([]);
});

test("what others used is taken off, and never more than there was", () => {
  const window = (machineSeconds: number, strangerSeconds: number) => ({
    cpu: {
      machineSeconds,
      brokerSeconds: 1,
      generatorSeconds: 0,
      harnessSeconds: 0,
      strangerSeconds,
      stealSeconds: 0,
    },
    wallSeconds: 2,
  });
  const figures = { cpuPerGb: 1.5, alonePerGb: 1, ownCpuPerGb: 0.5 };
  expect(cpuFigures(window(3, 1), 2e9)).toEqual(figures);
  expect(cpuFigures(window(1, 3), 2e9).alonePerGb).toBe(0);
  expect(cpuFigures(window(1, 3), 0)).toEqual({});
});
