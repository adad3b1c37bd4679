import { expect, test } from "bun:test";
import { Prng } from "@mantou/base";
import { ShardTimers } from "../../src/coordinators/shard-timers.ts";

test("timers fire as a plain map of deadlines says, whatever is set, moved and cancelled", () => {
  const seed = Number(process.env["MANTOU_SEED"] ?? Date.now() % 1_000_000);
  const prng = new Prng(seed);
  const timers = new ShardTimers<object, string>();
  const owners = [{}, {}, {}];
  const model = new Map<string, number>();
  const nameOf = (owner: number, key: string): string => `${owner}/${key}`;
  let nowMs = 0;
  for (let turn = 0; turn < 20_000; turn += 1) {
    const index = prng.below(owners.length);
    const owner = owners[index] as object;
    const key = `k${prng.below(40)}`;
    const name = nameOf(index, key);
    switch (prng.below(8)) {
      case 0:
        timers.change(owner, { kind: "cancel", key });
        model.delete(name);
        break;
      case 1: {
        if (prng.below(20) > 0) break;
        timers.forget(owner);
        for (const one of model.keys()) if (one.startsWith(`${index}/`)) model.delete(one);
        break;
      }
      case 2: {
        nowMs += prng.below(30);
        const due = [...model].filter(([, dueMs]) => dueMs <= nowMs);
        const fired: [string, number][] = [];
        for (let one = timers.takeDue(nowMs); one !== null; one = timers.takeDue(nowMs)) {
          fired.push([one.command, model.get(one.command) ?? Number.NaN]);
          model.delete(one.command);
        }
        const byName = (a: [string, number], b: [string, number]) => (a[0] < b[0] ? -1 : 1);
        expect(fired.map(([, dueMs]) => dueMs)).toEqual(
          fired.map(([, dueMs]) => dueMs).sort((a, b) => a - b),
        );
        expect(fired.sort(byName), `seed ${seed}`).toEqual(due.sort(byName));
        break;
      }
      default: {
        const dueMs = nowMs + prng.below(100);
        timers.change(owner, { kind: "set", key, dueMs, command: name });
        model.set(name, dueMs);
      }
    }
    expect(timers.size, `seed ${seed}, turn ${turn}`).toBe(model.size);
    const earliest = Math.min(Infinity, ...model.values());
    expect(timers.nextMs, `seed ${seed}, turn ${turn}`).toBeLessThanOrEqual(earliest);
  }
});
