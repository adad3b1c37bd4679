import { expect, test } from "bun:test";
import { createTopicsApi, metadataApi } from "@mantou/protocol";
import { metricCatalog } from "../../src/metrics/catalog.ts";
import { exposeMetrics } from "../../src/metrics/exposition.ts";
import type { ProcessFigures } from "../../src/metrics/figures.ts";
import { LatencyHistogram } from "../../src/metrics/latency-histogram.ts";
import { startInProcess } from "../in-process-broker.ts";

const empty = new LatencyHistogram().view();
const process: ProcessFigures = {
  version: "1.2.3",
  commit: 'with "quotes"\\ and\nlines',
  bun: "1",
  addon: "1",
  startedSeconds: 1,
  cpuSeconds: 2,
  residentBytes: null,
  heapBytes: 4,
  openFiles: 5,
  openFilesMax: null,
  threads: 6,
  loopLateness: empty,
  collections: 7,
  collectionStretch: empty,
};

/** Samples by name and labels, as the text says them. */
const samplesOf = (text: string): Map<string, number> =>
  new Map(
    text
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"))
      .map((line) => {
        const at = line.lastIndexOf(" ");
        return [line.slice(0, at), Number(line.slice(at + 1))];
      }),
  );

test("a broker tells what it did", async () => {
  await using running = await startInProcess({ "mantou.metrics.topics.max": "1" });
  const { broker } = running;
  const connection = await running.connect();
  const topics = ["a", "b", "c"].map((name) => ({
    name,
    numPartitions: 2,
    replicationFactor: 1,
    assignments: [],
    configs: [],
  }));
  await connection.request(createTopicsApi, { topics, timeoutMs: 30_000, validateOnly: false });
  await connection.request(metadataApi, {
    topics: [{ name: "missing", topicId: "AAAAAAAAAAAAAAAAAAAAAA" as never }],
    allowAutoTopicCreation: false,
    includeClusterAuthorizedOperations: false,
    includeTopicAuthorizedOperations: false,
  });
  const text = exposeMetrics({ broker: await broker.figures(), process });
  const samples = samplesOf(text);
  expect(samples.get('mantou_requests_total{api="CreateTopics"}')).toBe(1);
  expect(samples.get('mantou_request_duration_seconds_count{api="CreateTopics"}')).toBe(1);
  expect(
    samples.get('mantou_request_errors_total{api="Metadata",error="UNKNOWN_TOPIC_OR_PARTITION"}'),
  ).toBe(1);
  expect(samples.get("mantou_connections")).toBe(1);
  expect(samples.get("mantou_partitions_leading")).toBe(samples.get("mantou_partitions"));
  expect(samples.get('mantou_topic_partitions{topic="(others)"}')).toBe(4);
  expect(samples.get("mantou_ready")).toBe(1);
  expect(samples.get("mantou_log_groups_total")).toBeGreaterThan(0);
  expect(samples.get('mantou_start_phase_duration_seconds{phase="logs"}')).toBeGreaterThanOrEqual(
    0,
  );
  expect(text).toContain('commit="with \\"quotes\\"\\\\ and\\nlines"');
  expect(text).not.toContain("NaN");
  expect(text).not.toContain("undefined");
  connection.close();
});

test("every histogram is cumulative and ends in +Inf", async () => {
  await using running = await startInProcess();
  const text = exposeMetrics({ broker: await running.broker.figures(), process });
  let before = -1;
  let series = "";
  for (const line of text.split("\n")) {
    const match = /^(\w+_bucket\{(?:.*,)?)le="([^"]+)"\} (\d+)$/.exec(line);
    if (match === null) continue;
    const [, name = "", bound = "", count = ""] = match;
    if (name !== series) before = -1;
    series = name;
    expect(Number(count)).toBeGreaterThanOrEqual(before < 0 ? 0 : before);
    before = Number(count);
    if (bound === "+Inf") {
      const total = `${name.replace("_bucket{", "_count{").replace(/,$/, "}").replace(/\{$/, "")} ${count}`;
      expect(text).toContain(`\n${total}\n`);
    }
  }
  expect(series).not.toBe("");
});

test("without request metrics the rest is still there", async () => {
  await using running = await startInProcess({ "mantou.metrics.enable": "false" });
  const text = exposeMetrics({ broker: await running.broker.figures(), process: null });
  expect(text).not.toContain("mantou_requests_total");
  expect(text).toContain("mantou_connections 0");
});

test("names follow the habits: prefix, base units, _total for counters, no name twice", () => {
  const names = metricCatalog.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  for (const { name, type, unit, help } of metricCatalog) {
    expect(name).toMatch(/^(mantou|process)_[a-z_]+$/);
    expect([name, name.endsWith("_total")]).toEqual([name, type === "counter"]);
    if (unit === "seconds") expect(name).toMatch(/_seconds(_total)?$/);
    if (unit === "bytes") expect(name).toMatch(/_bytes(_total)?$/);
    expect(help).toMatch(/\.$/);
  }
});
