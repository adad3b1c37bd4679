import { expect, test } from "bun:test";
import { readReport } from "../src/coordination/rebalance.ts";

test("the time of a rebalance is the median of the rounds, whatever their order", () => {
  const text = '{"assignedMs":[9.5,2.25,4.0],"leaderJoinedMs":[1,1,1],"rebalances":7}\n';
  expect(readReport(text)).toEqual({ medianMs: 4, rebalances: 7 });
});

test("a report without rounds has no median", () => {
  expect(() => readReport('{"assignedMs":[],"rebalances":1}')).toThrow("no member");
});
