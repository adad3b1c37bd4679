import { describe, expect, test } from "bun:test";
import type { ConsumedRecord, Delivery } from "@mantou/client";
import { AcknowledgedLog, encodeSent } from "./acknowledged-log.ts";

/** The canary of the crash tests: each anomaly that the checker knows must make it cry. */

const record = (offset: number, producer: number, sequence: number): ConsumedRecord =>
  ({
    topic: "t",
    partition: 0,
    offset,
    value: new TextEncoder().encode(encodeSent({ producer, sequence }, 5)),
  }) as unknown as ConsumedRecord;

const delivery = (offset: number): Delivery => ({ partition: 0, offset }) as Delivery;

const verdict = (
  acknowledged: readonly (readonly [offset: number, sequence: number])[],
  stored: readonly ConsumedRecord[],
  shown: readonly ConsumedRecord[] = [],
): string => {
  const ledger = new AcknowledgedLog();
  for (const [offset, sequence] of acknowledged) {
    ledger.acknowledge({ producer: 0, sequence }, delivery(offset));
  }
  for (const one of shown) ledger.show(one);
  ledger.check(0, stored);
  return ledger.anomalies.join("; ");
};

describe("the checker of the crash tests", () => {
  test("is silent when all is well, also about records whose fate nobody was told", () => {
    const stored = [record(0, 0, 0), record(1, 1, 0), record(2, 0, 1)];
    expect(verdict([[0, 0]], stored, stored)).toBe("");
  });

  test("sees a lost record at the end and in the middle", () => {
    const twice: [number, number][] = [
      [0, 0],
      [1, 1],
    ];
    expect(verdict(twice, [record(0, 0, 0)])).toContain("lost-write");
    expect(verdict(twice, [record(1, 0, 1)])).toContain("lost-write");
  });

  test("sees a record that stands twice", () => {
    expect(verdict([], [record(0, 0, 0), record(1, 0, 0)])).toContain("duplicate");
  });

  test("sees records of one sender in another order", () => {
    expect(verdict([], [record(0, 0, 1), record(1, 0, 0)])).toContain("nonmonotonic-send");
  });

  test("sees one offset with two values", () => {
    const twice: [number, number][] = [
      [0, 0],
      [0, 1],
    ];
    expect(verdict(twice, [record(0, 0, 0)])).toContain("inconsistent-offsets");
  });

  test("sees a gap", () => {
    expect(verdict([], [record(0, 0, 0), record(2, 0, 1)])).toContain("gap");
  });

  test("sees what was taken back after a consumer saw it", () => {
    expect(verdict([], [record(0, 0, 0)], [record(1, 0, 1)])).toContain("taken back");
  });
});
