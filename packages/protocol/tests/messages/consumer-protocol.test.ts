import { describe, expect, test } from "bun:test";
import {
  DecodeError,
  decodeConsumerAssignment,
  decodeConsumerSubscription,
  encodeConsumerAssignment,
  encodeConsumerSubscription,
} from "../../src/index.ts";

const hex = (text: string): Uint8Array => Uint8Array.fromHex(text.replaceAll(" ", ""));

describe("the consumer protocol", () => {
  test("a subscription carries its version", () => {
    const value = {
      topics: ["foo"],
      userData: null,
      ownedPartitions: [{ topic: "foo", partitions: [1] }],
      generationId: 4,
      rackId: "r",
    };
    const wire = encodeConsumerSubscription(value, 3);
    expect(wire).toEqual(
      hex(
        "0003 00000001 0003666f6f ffffffff 00000001 0003666f6f 00000001 00000001 00000004 0001 72",
      ),
    );
    expect(decodeConsumerSubscription(wire)).toEqual(value);
  });

  test("older versions lack fields, newer ones are read as our newest", () => {
    expect(decodeConsumerSubscription(hex("0000 00000001 0003666f6f 00000001 ee"))).toEqual({
      topics: ["foo"],
      userData: Uint8Array.of(0xee),
      ownedPartitions: [],
      generationId: -1,
      rackId: null,
    });
    const future = hex("0009 00000000 ffffffff 00000000 00000004 ffff aabbcc");
    expect(decodeConsumerSubscription(future).generationId).toBe(4);
  });

  test("an assignment comes back", () => {
    const value = { assignedPartitions: [{ topic: "foo", partitions: [0, 2] }], userData: null };
    for (const version of [0, 1, 2, 3]) {
      expect(decodeConsumerAssignment(encodeConsumerAssignment(value, version))).toEqual(value);
    }
  });

  test("what members send is judged like any input", () => {
    for (const text of ["", "00", "ffff", "0000", "0000 7fffffff", "0003 00000000"]) {
      expect(() => decodeConsumerSubscription(hex(text))).toThrow(DecodeError);
      expect(() => decodeConsumerAssignment(hex(text))).toThrow(DecodeError);
    }
  });
});
