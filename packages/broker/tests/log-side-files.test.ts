import { expect, test } from "bun:test";
import { type LogId, logId } from "@mantou/base";
import type { LogStore } from "@mantou/io";
import { PartitionTable, ProducerStates } from "@mantou/replication";
import { LogSideFiles } from "../src/drivers/log-side-files.ts";
import { testAmbient } from "./in-process-broker.ts";

const LOGS = 100;

test("a log that waits for its flush does not hold up the snapshots of others", async () => {
  const partitions = new PartitionTable(1);
  const ids = Array.from({ length: LOGS }, (_, index) => logId(index + 1));
  for (const id of ids) {
    const epochs = { leader: true, leaderEpoch: 0, corruptFromOffset: null };
    partitions.opened(id, { ...epochs, startOffset: 0, endOffset: 0 });
    partitions.appended(id, 5);
    if (id !== ids[0]) partitions.durable(id, 5);
  }
  const { promise: othersDone, resolve } = Promise.withResolvers<void>();
  const put: LogId[] = [];
  const logs = {
    putFile: (id: LogId) => {
      put.push(id);
      if (put.length === LOGS - 1) resolve();
      return Promise.resolve();
    },
    listFiles: () => Promise.resolve([]),
  } as unknown as LogStore;
  const waits: (() => void)[] = [];
  const timers = { after: (_delayMs: number, call: () => void) => (waits.push(call), () => {}) };
  const limits = { producersPerPartitionMax: 9, producersMax: 9, producerIdExpirationMs: 9 };
  const files = new LogSideFiles({
    ambient: { ...testAmbient([]), timers },
    logs,
    partitions,
    producers: new ProducerStates(limits),
    openLogIds: () => ids,
  });
  const stopped = files.stop();
  // Time stands still: the first log goes on waiting.
  await othersDone;
  expect(put).not.toContain(ids[0] as LogId);
  expect(waits).toHaveLength(1);
  partitions.durable(ids[0] as LogId, 5);
  waits[0]?.();
  await stopped;
  expect(put).toHaveLength(LOGS);
});
