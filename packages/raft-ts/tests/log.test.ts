import { expect, test } from "bun:test";
import { RaftLog } from "../src/log.ts";
import { entry } from "./solo.ts";

function logOf(...terms: number[]): RaftLog {
  const log = new RaftLog(0, 0);
  log.append(terms.map((term, at) => entry(`${at + 1}/${term}`)));
  return log;
}

test("an empty log ends at its base", () => {
  const log = new RaftLog(7, 3);
  expect([log.firstIndex, log.lastIndex, log.lastTerm, log.termAt(7)]).toEqual([8, 7, 3, 3]);
  expect([log.termAt(6), log.termAt(8), log.entryAt(7)]).toEqual([null, null, null]);
});

test("gaps and falling terms are bugs", () => {
  const log = logOf(1, 2);
  expect(() => log.append([entry("4/2")])).toThrow("no gaps");
  expect(() => log.append([entry("3/1")])).toThrow("terms do not fall");
});

test("the search for a common prefix skips whole terms and stops at the base", () => {
  const log = logOf(1, 1, 3, 3, 3, 5);
  expect(log.lastIndexNotAbove(6, 4)).toBe(5);
  expect(log.lastIndexNotAbove(5, 2)).toBe(2);
  expect(log.lastIndexNotAbove(99, 9)).toBe(6);
  expect(log.lastIndexNotAbove(5, 0)).toBe(0);
  log.compactTo(4);
  expect(log.lastIndexNotAbove(5, 2)).toBe(4);
  expect(log.lastIndexNotAbove(3, 0)).toBe(3);
});

test("a slice by bytes holds whole proposals, and at least one", () => {
  const log = new RaftLog(0, 0);
  const part = (at: string, continues: boolean) => ({ ...entry(at), continues });
  log.append([part("1/1", false), part("2/1", true), part("3/1", false), part("4/1", false)]);
  const lengths = [1, 36, 100, 120, 1_000].map((bytes) => log.sliceBytes(1, bytes).length);
  expect(lengths).toEqual([1, 1, 1, 3, 4]);
  expect(log.sliceBytes(2, 1).map(({ index }) => index)).toEqual([2, 3]);
  expect(log.sliceBytes(5, 100)).toEqual([]);
});

test("compaction keeps the term of the entry that it ends with", () => {
  const log = logOf(1, 2, 3, 4);
  log.compactTo(2);
  expect([log.firstIndex, log.termAt(2), log.termAt(1)]).toEqual([3, 2, null]);
  expect(log.slice(3, 4).map(({ term }) => term)).toEqual([3, 4]);
  log.truncateFrom(4);
  expect([log.lastIndex, log.lastTerm]).toEqual([3, 3]);
  log.reset(9, 7);
  expect([log.firstIndex, log.lastIndex, log.lastTerm]).toEqual([10, 9, 7]);
});
