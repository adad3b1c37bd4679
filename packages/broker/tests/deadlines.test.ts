import { expect, test } from "bun:test";
import { Prng } from "@mantou/base";
import { Deadlines } from "../src/deadlines.ts";

test("takes ids in the order of their deadlines, and none before its time", () => {
  const seed = 20_260_801;
  const prng = new Prng(seed);
  const deadlines = new Deadlines();
  const model: { dueMs: number; id: number }[] = [];
  for (let id = 0; id < 2000; id += 1) {
    const dueMs = prng.below(500);
    deadlines.add(dueMs, id);
    model.push({ dueMs, id });
  }
  for (let nowMs = 0; nowMs <= 504; nowMs += 7) {
    const due = model.filter((entry) => entry.dueMs <= nowMs && entry.dueMs > nowMs - 7);
    const taken: number[] = [];
    for (let id = deadlines.takeDue(nowMs); id >= 0; id = deadlines.takeDue(nowMs)) taken.push(id);
    expect(new Set(taken), `seed ${seed}, at ${nowMs}`).toEqual(new Set(due.map(({ id }) => id)));
    expect(taken.length).toBe(due.length);
  }
  expect(deadlines.size).toBe(0);
  expect(deadlines.nextMs).toBe(Infinity);
});

test("retain drops what no longer waits and keeps the order of the rest", () => {
  const deadlines = new Deadlines();
  for (let id = 0; id < 100; id += 1) deadlines.add(1000 - id, id);
  deadlines.retain((id) => id % 10 === 0);
  expect(deadlines.size).toBe(10);
  const taken: number[] = [];
  for (let id = deadlines.takeDue(2000); id >= 0; id = deadlines.takeDue(2000)) taken.push(id);
  expect(taken).toEqual([90, 80, 70, 60, 50, 40, 30, 20, 10, 0]);
});
