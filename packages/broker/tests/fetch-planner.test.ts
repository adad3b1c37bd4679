import { expect, test } from "bun:test";
import { type LogId, logId } from "@mantou/base";
import { Locate, LocateCode, LocateFlag } from "@mantou/io";
import type { LogStore, Network, Table } from "@mantou/io";
import { ErrorCode } from "@mantou/protocol";
import { PartitionTable, ProducerStates } from "@mantou/replication";
import { fetchAnswer } from "../src/fetch/fetch-answer.ts";
import { FetchPlanner } from "../src/fetch/fetch-planner.ts";
import { FetchSet } from "../src/fetch/fetch-set.ts";
import type { FetchTask } from "../src/fetch/fetch-task.ts";
import { ParkingLot } from "../src/fetch/parking-lot.ts";
import { PlanWriter } from "../src/plan-writer.ts";

const producers = new ProducerStates({
  producersPerPartitionMax: 9,
  producersMax: 9,
  producerIdExpirationMs: 9,
});

/** A store whose every locate goes to a disk thread, and a writer that notes released pins. */
function coldStore(logs: number) {
  const tags: number[] = [];
  const store = {
    locate(table: Table, rows: number) {
      for (let row = 0; row < rows; row += 1) {
        tags.push(table.word(row, Locate.tag));
        table.setWord(row, Locate.code, LocateCode.PENDING);
      }
    },
  } as unknown as LogStore;
  return { ...plannerOn(store, logs), tags };
}

/** A store of four logs that answers at once, with the row as the pin. */
function storeWith(
  find: (row: number, flags: number, bytesMax: number) => { code: number; length: number },
) {
  const store = {
    locate(table: Table, rows: number) {
      for (let row = 0; row < rows; row += 1) {
        const asked = [table.word(row, Locate.flags), table.word(row, Locate.bytesMax)] as const;
        const { code, length } = find(row, ...asked);
        table.setWord(row, Locate.code, code);
        table.setWord(row, Locate.pin, row);
        table.setWord(row, Locate.length, length);
      }
    },
  } as unknown as LogStore;
  return plannerOn(store, 4);
}

function plannerOn(store: LogStore, logs: number) {
  const released: number[] = [];
  const writer = new PlanWriter({ submit() {} } as unknown as Network);
  writer.releasePin = (pin) => void released.push(pin);
  const partitions = new PartitionTable(1);
  for (let id = 1; id <= logs; id += 1) {
    partitions.opened(logId(id), {
      leader: true,
      leaderEpoch: 0,
      startOffset: 0,
      endOffset: 100,
      corruptFromOffset: null,
    });
  }
  const planner = new FetchPlanner(
    partitions,
    producers,
    store,
    (_topic, _usesIds, partition) => ({ logId: logId(partition + 1) }),
    new ParkingLot(),
    writer,
  );
  return { partitions, planner, released, releasePin: (pin: number) => released.push(pin) };
}

function fetchTask(rows: number): FetchTask {
  const set = new FetchSet(false, false);
  for (let partition = 0; partition < rows; partition += 1) {
    set.bytesMax[set.upsert("t", partition)] = 1_000_000;
  }
  return {
    call: {
      connection: 0,
      generation: 0,
      sequence: 0,
      apiKey: 1,
      version: 12,
      correlationId: 0,
      clientId: "",
      listenerId: 0,
    },
    set,
    turn: set.turn,
    session: null,
    incremental: false,
    readCommitted: false,
    minBytes: 1,
    bytesMax: 50_000_000,
    deadlineMs: 0,
    pending: 0,
    found: [],
    bytes: 0,
    urgent: false,
  };
}

test("ranges that disk threads find one by one are all kept until the last one is there", () => {
  const { partitions, planner, released, releasePin, tags } = coldStore(3);
  const task = fetchTask(3);
  planner.plan(task);
  expect(task.pending).toBe(3);
  expect(planner.located(tags[1] as number, LocateCode.OK, 11, 0, 500)).toBeNull();
  expect(planner.located(tags[0] as number, LocateCode.OK, 10, 0, 500)).toBeNull();
  expect(planner.located(tags[2] as number, LocateCode.OK, 12, 0, 500)).toBe(task);
  expect(released).toEqual([]);
  const answer = fetchAnswer(task, partitions, producers, releasePin);
  const pins = answer.responses[0]?.partitions.map(({ records }) =>
    records !== null && records !== undefined && "pin" in records ? records.pin : -1,
  );
  expect(pins).toEqual([10, 11, 12]);
  expect(released).toEqual([]);
});

test("a range that nobody waits for goes back", () => {
  const { planner, released } = coldStore(1);
  expect(planner.located(999, LocateCode.OK, 7, 0, 10)).toBeNull();
  expect(released).toEqual([7]);
});

test("a partition that is deleted while its bytes are looked for is answered as unknown", () => {
  const { partitions, planner, released, releasePin, tags } = coldStore(2);
  const task = fetchTask(2);
  planner.plan(task);
  partitions.closed(1 as LogId);
  planner.located(tags[0] as number, LocateCode.OK, 10, 0, 500);
  expect(planner.located(tags[1] as number, LocateCode.OK, 11, 0, 500)).toBe(task);
  const answers = fetchAnswer(task, partitions, producers, releasePin).responses[0]?.partitions;
  expect(answers?.map((entry) => entry.errorCode)).toEqual([
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    ErrorCode.NONE,
  ]);
  expect(released).toEqual([10]);
});

test("the first partition that has bytes gives a batch, whatever its size, and no other", () => {
  const batches = [0, 5000, 5000, 800];
  const { partitions, planner, released, releasePin } = storeWith((row, flags, bytesMax) => {
    const bytes = batches[row] as number;
    if (row === 0) return { code: LocateCode.CORRUPT, length: 0 };
    const fits = bytes <= bytesMax || (flags & LocateFlag.AT_LEAST_ONE_BATCH) !== 0;
    return { code: LocateCode.OK, length: fits ? bytes : 0 };
  });
  const task = fetchTask(4);
  task.set.bytesMax.fill(1000);
  planner.plan(task);
  expect(task.pending).toBe(0);
  const answers = fetchAnswer(task, partitions, producers, releasePin).responses[0]?.partitions;
  const lengths = answers?.map(({ records }) =>
    records !== null && records !== undefined && "pin" in records ? records.length : 0,
  );
  expect(lengths).toEqual([0, 5000, 0, 800]);
  // Pins are rows here.
  expect(released).toEqual([2]);
});
