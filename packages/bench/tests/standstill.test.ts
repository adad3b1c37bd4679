import { expect, test } from "bun:test";
import { common, StandstillWatch } from "../src/standstill.ts";

const stop = (beganAtMs: number, endedAtMs: number) => ({ beganAtMs, endedAtMs });

test("times that two processors stood still at once", () => {
  const a = [stop(0, 10), stop(20, 40), stop(50, 60)];
  const b = [stop(5, 25), stop(30, 32), stop(45, 70)];
  const both = [stop(5, 10), stop(20, 25), stop(30, 32), stop(50, 60)];
  expect(common(a, b)).toEqual(both);
  expect(common(b, a)).toEqual(both);
  expect(common(a, [])).toEqual([]);
});

test("what the watcher prints may come in any pieces", () => {
  const watch = new StandstillWatch(2);
  for (const piece of ["0 1000.0 3", "0.0\n1 1010", ".0 30.0\n0 5000.0 9.0\n"]) watch.take(piece);
  expect(watch.stopsSince(0)).toEqual([stop(980, 1000)]);
  expect(watch.stopsSince(1005)).toEqual([]);
});

test("a processor of which nothing was told never stood still", () => {
  const watch = new StandstillWatch(2);
  watch.take("0 1000.0 30.0\n");
  expect(watch.stopsSince(0)).toEqual([]);
});
