import { expect, test } from "bun:test";
import { ZERO_UUID } from "@mantou/base";
import { Plan, PlanKind, type Network, type Table } from "@mantou/io";
import { fetchApi, metadataApi } from "@mantou/protocol";
import { Answers } from "../src/answers.ts";
import { PlanWriter } from "../src/plan-writer.ts";
import { testAmbient } from "./in-process-broker.ts";

const call = {
  connection: 1,
  generation: 1,
  sequence: 0,
  apiKey: 3,
  version: 9,
  correlationId: 7,
  clientId: "",
  listenerId: 0,
};

const response = (topics: number) => ({
  throttleTimeMs: 0,
  brokers: [],
  clusterId: null,
  controllerId: 1,
  topics: Array.from({ length: topics }, (_, index) => ({
    errorCode: 0,
    name: `${"n".repeat(240)}${index}`,
    topicId: ZERO_UUID,
    isInternal: false,
    partitions: [],
    topicAuthorizedOperations: 0,
  })),
  clusterAuthorizedOperations: 0,
  errorCode: 0,
});

test("answers of any size leave whole, and the memory of a large one is given back", () => {
  const submitted: { kind: number; total: number; table: number }[] = [];
  const network = {
    submit(plan: Table, _rows: number, bytes: Uint8Array): void {
      const [kind, total] = [plan.word(0, Plan.kind), plan.word(0, Plan.totalBytes)];
      submitted.push({ kind, total, table: bytes.length });
    },
  } as unknown as Network;
  const plan = new PlanWriter(network);
  const answers = new Answers(plan, testAmbient([]));
  for (const topics of [1, 60_000, 1, 1]) {
    answers.send(call, metadataApi, response(topics));
    plan.flush();
  }
  expect(submitted.map(({ kind }) => kind)).toEqual(Array(4).fill(PlanKind.RESPOND));
  const [small, large, after, last] = submitted;
  expect(large?.total).toBeGreaterThan(60_000 * 240);
  expect(large?.table).toBeGreaterThanOrEqual(large?.total ?? Infinity);
  expect([after?.total, last?.total]).toEqual([small?.total, small?.total]);
  expect(last?.table).toBe(small?.table);
});

test("an answer that cannot be encoded gives its file ranges back", () => {
  const released: number[] = [];
  const closed: number[] = [];
  const network = {
    submit(plan: Table, rows: number): void {
      for (let row = 0; row < rows; row += 1) {
        const kind = plan.word(row, Plan.kind);
        if (kind === PlanKind.RELEASE_PIN) released.push(plan.word(row, Plan.connection));
        if (kind === PlanKind.CLOSE) closed.push(plan.word(row, Plan.connection));
      }
    },
  } as unknown as Network;
  const plan = new PlanWriter(network);
  const records = (pin: number) => ({ pin, position: 0, length: 100 });
  const partition = (partitionIndex: number, pin: number) => ({
    partitionIndex,
    errorCode: 0,
    highWatermark: 1,
    records: records(pin),
  });
  const topic = "t".repeat(40_000);
  const responses = [
    { topic: "t", topicId: ZERO_UUID, partitions: [partition(0, 11), partition(1, 12)] },
    // Longer than a string of the protocol may be.
    { topic, topicId: ZERO_UUID, partitions: [partition(0, 13)] },
  ];
  const answer = { throttleTimeMs: 0, errorCode: 0, sessionId: 0, responses };
  const log: string[] = [];
  new Answers(plan, testAmbient(log)).send({ ...call, version: 11 }, fetchApi, answer);
  plan.flush();
  expect([released, closed]).toEqual([[11, 12, 13], [1]]);
});
