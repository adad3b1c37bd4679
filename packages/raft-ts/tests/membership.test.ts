import { expect, test } from "bun:test";
import {
  Memberships,
  decodeMembership,
  encodeMembership,
  isMembership,
  membership,
  peersOf,
} from "../src/membership.ts";
import { entry } from "./solo.ts";

test("bytes and back, in one order", () => {
  const members = membership([3, 1, 2], [9, 4]);
  expect(members).toEqual({ voters: [1, 2, 3], learners: [4, 9] });
  expect(decodeMembership(encodeMembership(members))).toEqual(members);
  expect(encodeMembership(membership([2, 1], []))).toEqual(
    encodeMembership(membership([1, 2], [])),
  );
  expect(peersOf(members, 2)).toEqual([1, 3, 4, 9]);
});

test("every truncation and every foreign byte count is refused", () => {
  const bytes = encodeMembership(membership([1, 2], [3]));
  for (let length = 0; length < bytes.length; length += 1) {
    expect(decodeMembership(bytes.subarray(0, length))).toBeNull();
  }
  expect(decodeMembership(Uint8Array.of(...bytes, 0))).toBeNull();
  expect(decodeMembership(Uint8Array.of(2, ...bytes.subarray(1)))).toBeNull();
  expect(decodeMembership(new Uint8Array(5))).toBeNull();
});

test("what is a membership", () => {
  expect(isMembership({ voters: [1], learners: [] })).toBe(true);
  expect(isMembership({ voters: [0], learners: [] })).toBe(true);
  const none = [
    { voters: [], learners: [1] },
    { voters: [2, 1], learners: [] },
    { voters: [1, 1], learners: [] },
    { voters: [1], learners: [1] },
    { voters: [-1], learners: [] },
    { voters: [2 ** 31], learners: [] },
  ];
  for (const members of none) expect(isMembership(members)).toBe(false);
});

test("the history follows the log: append, truncate, compact", () => {
  const history = new Memberships(0, membership([1], []));
  const config = (at: string, voters: number[]) => ({
    ...entry(at, "config"),
    data: encodeMembership(membership(voters, [])),
  });
  history.append([entry("1/1"), config("2/1", [1, 2]), entry("3/1"), config("4/1", [1, 2, 3])]);
  expect(history.latest.voters).toEqual([1, 2, 3]);
  expect(history.previous.voters).toEqual([1, 2]);
  expect([0, 1, 2, 3, 4].map((index) => history.at(index).voters.length)).toEqual([1, 1, 2, 2, 3]);
  history.truncateFrom(4);
  expect([history.latest.voters, history.latestIndex]).toEqual([[1, 2], 2]);
  history.compactTo(3);
  history.truncateFrom(1);
  expect(history.latest.voters).toEqual([1, 2]);
});
