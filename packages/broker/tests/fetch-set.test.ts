import { expect, test } from "bun:test";
import { Prng, logId } from "@mantou/base";
import { FetchSet } from "../src/fetch/fetch-set.ts";
import { ParkingLot } from "../src/fetch/parking-lot.ts";

test("upsert and forget keep every row with its own values", () => {
  const seed = 77;
  const prng = new Prng(seed);
  const lot = new ParkingLot();
  const set = new FetchSet(false, true);
  const model = new Map<string, number>();
  for (let step = 0; step < 5000; step += 1) {
    const topic = `t${prng.below(5)}`;
    const partition = prng.below(20);
    if (prng.chance(1, 3)) {
      set.forget(topic, partition, lot);
      model.delete(`${topic}/${partition}`);
    } else {
      const row = set.upsert(topic, partition);
      set.fetchOffset[row] = step;
      set.resolve(row, logId(partition), lot);
      model.set(`${topic}/${partition}`, step);
    }
  }
  const rows = new Map<string, number>();
  for (let row = 0; row < set.rows; row += 1) {
    rows.set(`${set.topics[row]}/${set.partition[row]}`, set.fetchOffset[row] as number);
    expect(set.logId[row]).toBe(set.partition[row] as number);
  }
  expect(rows, `seed ${seed}`).toEqual(model);
});

test("a new row has told the client nothing yet, also where an old one was", () => {
  const lot = new ParkingLot();
  const set = new FetchSet(false, true);
  const row = set.upsert("t", 0);
  set.sentHighWatermark[row] = 9;
  set.forget("t", 0, lot);
  expect(set.sentHighWatermark[set.upsert("t", 1)]).toBe(-2);
});
