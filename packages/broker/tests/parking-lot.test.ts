import { expect, test } from "bun:test";
import { Prng, logId } from "@mantou/base";
import { FetchSet } from "../src/fetch/fetch-set.ts";
import type { FetchTask } from "../src/fetch/fetch-task.ts";
import { ParkingLot } from "../src/fetch/parking-lot.ts";

function parkedTask(set: FetchSet, connection: number, deadlineMs: number): FetchTask {
  return {
    call: {
      connection,
      generation: 1,
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
    incremental: set.persistent,
    readCommitted: false,
    minBytes: 1,
    bytesMax: 1000,
    deadlineMs,
    pending: 0,
    found: [],
    bytes: 0,
    urgent: false,
  };
}

test("random parks, wakes, deadlines, closes and forgotten rows agree with a plain model", () => {
  const seed = 4242;
  const prng = new Prng(seed);
  const lot = new ParkingLot();
  const sets = Array.from({ length: 40 }, (_, index) => new FetchSet(false, index % 2 === 0));
  const rows = new Map<FetchSet, Set<number>>(sets.map((set) => [set, new Set()]));
  const parked = new Map<FetchSet, { task: FetchTask; logs: Set<number> }>();
  for (let step = 0; step < 20_000; step += 1) {
    const set = prng.pick(sets);
    const log = prng.below(30);
    const isParked = parked.has(set);
    const action = prng.below(6);
    if (action === 0 && (set.persistent || !isParked)) {
      set.resolve(set.upsert("t", log), logId(log), lot);
      rows.get(set)?.add(log);
    } else if (action === 1 && (set.persistent || !isParked)) {
      set.forget("t", log, lot);
      rows.get(set)?.delete(log);
    } else if (action === 2 && !isParked) {
      const task = parkedTask(set, prng.below(5), step + prng.below(200));
      expect(lot.park(task)).toBe(true);
      parked.set(set, { task, logs: rows.get(set) as Set<number> });
    } else if (action === 3) {
      const woken: FetchTask[] = [];
      lot.wake(logId(log), woken);
      const expected = [...parked.values()].filter((entry) => entry.logs.has(log));
      expect(new Set(woken), `seed ${seed}, step ${step}`).toEqual(
        new Set(expected.map((entry) => entry.task)),
      );
      for (const task of woken) parked.delete(task.set);
    } else if (action === 4) {
      const due: FetchTask[] = [];
      lot.expire(step, due);
      const expected = [...parked.values()].filter((entry) => entry.task.deadlineMs <= step);
      expect(new Set(due), `seed ${seed}, step ${step}`).toEqual(
        new Set(expected.map((entry) => entry.task)),
      );
      for (const task of due) parked.delete(task.set);
    } else if (action === 5 && prng.chance(1, 10)) {
      const connection = prng.below(5);
      lot.forgetConnection(connection, 1);
      for (const [key, entry] of parked) {
        if (entry.task.call.connection === connection) parked.delete(key);
      }
    }
    expect(lot.parked, `seed ${seed}, step ${step}`).toBe(parked.size);
  }
});
