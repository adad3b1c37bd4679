import { describe, expect, test } from "bun:test";
import { AssertionError, Prng } from "@mantou/base";
import { PortableArena } from "../../src/index.ts";

describe("the portable arena", () => {
  test("gives the lowest gap that fits, and counts references", () => {
    const arena = new PortableArena(16 * 1024);
    const a = arena.allocate(1);
    const b = arena.allocate(3_000);
    const c = arena.allocate(1_024);
    expect([a, b, c]).toEqual([0, 1_024, 4_096]);
    arena.retain(b + 2_500);
    arena.release(b);
    expect(arena.usedBytes).toBe(5 * 1_024);
    arena.release(b + 10);
    expect(arena.usedBytes).toBe(2 * 1_024);
    expect(arena.allocate(4_000)).toBe(5 * 1_024);
    expect(arena.allocate(2_000)).toBe(1_024);
  });

  test("says when it is full, and that a dead run is a mistake", () => {
    const arena = new PortableArena(4 * 1024);
    expect(arena.allocate(4 * 1024)).toBe(0);
    expect(arena.allocate(1)).toBe(-1);
    arena.release(0);
    expect(() => arena.release(0)).toThrow(AssertionError);
    expect(() => arena.release(1 << 20)).toThrow(AssertionError);
    expect(arena.allocate(5 * 1024)).toBe(-1);
  });

  test("runs never overlap and none is lost", () => {
    const seed = Number(process.env["MANTOU_SEED"] ?? 7);
    const prng = new Prng(seed);
    const arena = new PortableArena(256 * 1024);
    const live: { offset: number; length: number; mark: number }[] = [];
    for (let round = 0; round < 20_000; round++) {
      const length = prng.between(1, 20_000);
      const offset = prng.chance(1, 2) ? arena.allocate(length) : -1;
      if (offset >= 0) {
        const mark = prng.below(256);
        arena.bytes.fill(mark, offset, offset + length);
        live.push({ offset, length, mark });
      } else if (live.length > 0) {
        const [run] = live.splice(prng.below(live.length), 1);
        if (run === undefined) continue;
        const first = arena.bytes[run.offset];
        const last = arena.bytes[run.offset + run.length - 1];
        if (first !== run.mark || last !== run.mark) throw new Error(`seed ${seed}: overlap`);
        arena.release(run.offset);
      }
    }
    for (const run of live) arena.release(run.offset);
    expect(arena.usedBytes).toBe(0);
    expect(arena.allocate(256 * 1024)).toBe(0);
  });
});
