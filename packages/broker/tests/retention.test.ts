import { expect, test } from "bun:test";
import { type LogId, logId, offset } from "@mantou/base";
import type { LogState, LogStore } from "@mantou/io";
import { PartitionTable } from "@mantou/replication";
import type { Partitions } from "../src/drivers/partitions.ts";
import { Retention } from "../src/drivers/retention.ts";
import { testAmbient } from "./in-process-broker.ts";

const END = 100;

/** Retention over logs 1 to 3, whose store does what `retain` says. */
function retention(retain: (id: LogId) => Promise<number>) {
  const table = new PartitionTable(1);
  const ids = [1, 2, 3].map(logId);
  for (const id of ids) {
    const state = { leader: true, leaderEpoch: 0, corruptFromOffset: null };
    table.opened(id, { ...state, startOffset: 0, endOffset: END });
  }
  const moved: LogId[] = [];
  const logs = {
    retain: async (id: LogId): Promise<Partial<LogState>> => ({
      startOffset: offset(await retain(id)),
    }),
  } as unknown as LogStore;
  const driver = new Retention({
    ambient: testAmbient([]),
    logs,
    table,
    partitions: {
      openLogIds: () => ids.filter((id) => table.isOpen(id)),
      configOf: () => ({ retentionMs: 1, retentionBytes: -1, cleanupDelete: true }),
    } as unknown as Partitions,
    intervalMs: () => 1_000_000,
    startOffsetMoved: (id) => void moved.push(id),
  });
  return { driver, table, moved };
}

test("a round moves the start of every log from which something was deleted", async () => {
  const { driver, table, moved } = retention(async (id) => (id === 2 ? 0 : 60));
  await driver.round();
  expect(moved).toEqual([1, 3].map(logId));
  expect(table.logStartOffset(logId(3))).toBe(60);
});

test("logs may be deleted while a round is under way", async () => {
  const { driver, table, moved } = retention(async (id) => {
    if (id === 1) {
      table.closed(logId(1));
      table.closed(logId(3));
    }
    return 60;
  });
  await driver.round();
  expect(moved).toEqual([logId(2)]);
});
