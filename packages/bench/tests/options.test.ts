import { describe, expect, test } from "bun:test";
import { formOf } from "../src/bench.ts";
import { loadArguments } from "../src/loadgen.ts";
import { parseEndToEndReport, parseJavaReport } from "../src/java-producer.ts";
import { parseOptions } from "../src/options.ts";
import { FORMS, FULL, PRODUCT, QUICK, rowsOf } from "../src/forms.ts";
import { parseSyscalls } from "../src/syscalls.ts";
import { TARGETS } from "../src/targets.ts";

describe("options", () => {
  test("the quick form is what comes without flags", () => {
    const options = parseOptions([]);
    expect(options.form).toBe("quick");
    expect(options.floorBytes).toBe(12e9);
    expect(formOf(options)).toEqual(QUICK);
  });

  test("rows can be picked, runs shortened", () => {
    const form = formOf(parseOptions(["--only", "^fetch", "--seconds", "0.5"]));
    expect(rowsOf(form).every((row) => row.kind === "fetch")).toBe(true);
    expect(form.secondsPerRun).toBe(0.5);
    expect(() => formOf(parseOptions(["--only", "nothing-like-it"]))).toThrow("produce-1p-64k");
  });

  test("the watch over memory can be shortened, and reports made again", () => {
    const options = parseOptions(["--full", "--memory-seconds", "30", "--report", "/a.json"]);
    const memory = rowsOf(formOf(options)).find((row) => row.kind === "memory");
    expect(memory?.seconds).toBe(30);
    expect(options.report).toBe("/a.json");
  });

  test("nonsense is refused", () => {
    expect(() => parseOptions(["--seconds", "soon"])).toThrow("above 0");
    expect(() => parseOptions(["--fast"])).toThrow();
    expect(() => parseOptions(["--full", "--product"])).toThrow("give one");
  });
});

describe("forms", () => {
  for (const form of Object.values(FORMS)) {
    test(`${form.name}: each broker has as many turns as the other, Kafka the first`, () => {
      const count = (system: string): number => form.turns.filter((turn) => turn === system).length;
      expect(count("kafka")).toBe(count("mantou"));
      // The rates of paced rows are shares of its peak.
      expect(form.turns[0]).toBe("kafka");
    });
  }

  test("paced rows take their rate from a row that runs before them", () => {
    for (const form of [QUICK, FULL]) {
      const seen = new Set<string>();
      for (const row of form.blocks.flatMap((block) => block.rows)) {
        seen.add(row.id);
        if (row.kind === "paced") expect(seen).toContain(row.pace?.row ?? "none");
      }
    }
  });

  test("the product has every combination once", () => {
    const rows = rowsOf(PRODUCT);
    expect(rows).toHaveLength(3 ** 4);
    expect(rows.filter((row) => row.variants.length === 4)).toHaveLength(3 ** 3);
    expect(formOf(parseOptions(["--product"]))).toEqual(PRODUCT);
  });

  test("every aim belongs to a row that the full form runs", () => {
    const ids = new Set([...rowsOf(FULL).map((row) => row.id), "broker"]);
    for (const { row } of TARGETS) expect(ids).toContain(row);
  });
});

test("the generator is told all that it must know, and nothing warms up inside it", () => {
  const args = loadArguments("127.0.0.1:1", {
    mode: "produce",
    topic: "t",
    partitions: 16,
    connections: 8,
    depth: 5,
    seconds: 2,
    acks: -1,
    rate: 12.5,
  });
  expect(args.join(" ")).toBe(
    "produce --address 127.0.0.1:1 --topic t --partitions 16 --connections 8 --depth 5 " +
      "--seconds 2 --warmup 0 --acks -1 --rate 12.500",
  );
});

test("what tails and those who catch up need is told only where it is asked for", () => {
  const common = { topic: "t", partitions: 1, connections: 1, depth: 1, seconds: 1 };
  const text = (load: Parameters<typeof loadArguments>[1]): string =>
    loadArguments("127.0.0.1:1", load).join(" ");
  expect(text({ mode: "tail", ...common })).not.toMatch(/--(stamp|once|total-bytes)/);
  expect(text({ mode: "fetch", ...common, once: true })).toEndWith("--once true");
  const stamped = text({ mode: "produce", ...common, stamp: true, totalBytes: 9 });
  expect(stamped).toEndWith("--stamp true --total-bytes 9");
});

test("the last line of kafka-producer-perf-test counts, in decimal megabytes", () => {
  const text = [
    "1000 records sent, 200.0 records/sec (0.19 MB/sec), 9.0 ms avg latency, 20.0 ms max latency.",
    "300000 records sent, 65000.0 records/sec (100.00 MB/sec), 40.00 ms avg latency, " +
      "300.00 ms max latency, 12 ms 50th, 100 ms 95th, 250 ms 99th, 299 ms 99.9th.",
    "",
  ].join("\n");
  const report = parseJavaReport(text);
  expect(report).toEqual({ records: 300_000, mbPerSecond: 104.8576, p50Ms: 12, p99Ms: 250 });
  expect(parseJavaReport("no such thing")).toBeNull();
});

test("EndToEndLatency ends with mean and percentiles", () => {
  const text =
    "1000\t0.71\nAvg latency: 4.8211 ms\nPercentiles: 50th = 0, 99th = 88, 99.9th = 228\n";
  expect(parseEndToEndReport(text)).toEqual({ meanMs: 4.8211, p99Ms: 88 });
  expect(parseEndToEndReport("0\t378\n")).toBeNull();
});

test("perf's count of system calls is read, and no count is none", () => {
  expect(parseSyscalls("12345,,raw_syscalls:sys_enter,99,100.00,,\n")).toBe(12_345);
  expect(parseSyscalls("<not counted>,,raw_syscalls:sys_enter,0,100.00,,\n")).toBeNull();
});
