import { describe, expect, test } from "bun:test";
import { ZERO_UUID } from "@mantou/base";
import type { CommittedOffset } from "../../src/offsets/offset-store.ts";
import { OffsetStore } from "../../src/offsets/offset-store.ts";

const at = (offset: number): CommittedOffset => ({
  offset,
  leaderEpoch: -1,
  metadata: "",
  commitTimestampMs: 0,
  expireTimestampMs: -1,
  topicId: ZERO_UUID,
});

describe("pending offsets", () => {
  test("count when their transaction is committed, if nothing later was stored", () => {
    const store = new OffsetStore();
    store.putPending(1, "g", "t", 0, at(5));
    store.putPending(1, "g", "t", 1, at(6));
    store.put("g", "t", 1, at(7));
    expect(store.get("g", "t", 0)).toBeUndefined();
    expect([...store.endTransaction(1, true)]).toEqual(["g"]);
    expect(store.get("g", "t", 0)?.offset).toBe(5);
    expect(store.get("g", "t", 1)?.offset).toBe(7);
    expect(store.hasOpenTransaction("g")).toBe(false);
    store.checkInvariants();
  });

  test("of an aborted transaction leave nothing", () => {
    const store = new OffsetStore();
    store.putPending(1, "g", "t", 0, at(5));
    store.putPending(1, "h", "t", 0, at(5));
    expect([store.size, store.has("g")]).toEqual([2, true]);
    expect([...store.endTransaction(1, false)].sort()).toEqual(["g", "h"]);
    expect([store.size, store.has("g"), store.groups().size]).toEqual([0, false, 0]);
    expect(store.endTransaction(1, true).size).toBe(0);
    store.checkInvariants();
  });

  test("are overwritten by the same transaction", () => {
    const store = new OffsetStore();
    store.putPending(1, "g", "t", 0, at(5));
    store.putPending(1, "g", "t", 0, at(6));
    expect(store.size).toBe(1);
    store.endTransaction(1, true);
    expect(store.get("g", "t", 0)?.offset).toBe(6);
  });

  test("go with what is removed, of all transactions", () => {
    const store = new OffsetStore();
    store.put("g", "t", 0, at(1));
    store.putPending(1, "g", "t", 0, at(5));
    store.putPending(2, "g", "t", 0, at(6));
    expect(store.pendingOf("g", "t").length).toBe(2);
    expect(store.partitionsOf("g")).toEqual([{ topic: "t", partition: 0 }]);
    expect(store.remove("g", "t", 0)).toBe(true);
    expect(store.remove("g", "t", 0)).toBe(false);
    store.checkInvariants();
    store.endTransaction(1, true);
    store.endTransaction(2, true);
    expect([store.size, store.has("g")]).toEqual([0, false]);
  });
});

test("a visitor may remove what it is shown", () => {
  const store = new OffsetStore();
  for (let partition = 0; partition < 10; partition++) {
    store.put("g", "t", partition, at(partition));
    store.put("g", "u", partition, at(partition));
  }
  let seen = 0;
  store.forEachOf("g", (topic, partition) => {
    seen++;
    store.remove("g", topic, partition);
  });
  expect([seen, store.size, store.has("g")]).toEqual([20, 0, false]);
});
