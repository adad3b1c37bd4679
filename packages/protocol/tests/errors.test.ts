import { describe, expect, test } from "bun:test";
import { ErrorCode, errorName } from "../src/index.ts";

describe("error codes", () => {
  test("are -1 to 136 without gap or double", () => {
    const codes = Object.values(ErrorCode) as number[];
    expect(codes).toEqual(Array.from({ length: 138 }, (_, i) => i - 1));
  });

  test("have Kafka's names", () => {
    // Codes that reference/protocol.md names, spread over the range.
    const known: [number, string][] = [
      [-1, "UNKNOWN_SERVER_ERROR"],
      [0, "NONE"],
      [1, "OFFSET_OUT_OF_RANGE"],
      [3, "UNKNOWN_TOPIC_OR_PARTITION"],
      [5, "LEADER_NOT_AVAILABLE"],
      [6, "NOT_LEADER_OR_FOLLOWER"],
      [17, "INVALID_TOPIC_EXCEPTION"],
      [19, "NOT_ENOUGH_REPLICAS"],
      [21, "INVALID_REQUIRED_ACKS"],
      [29, "TOPIC_AUTHORIZATION_FAILED"],
      [35, "UNSUPPORTED_VERSION"],
      [41, "NOT_CONTROLLER"],
      [42, "INVALID_REQUEST"],
      [45, "OUT_OF_ORDER_SEQUENCE_NUMBER"],
      [54, "SECURITY_DISABLED"],
      [56, "KAFKA_STORAGE_ERROR"],
      [74, "FENCED_LEADER_EPOCH"],
      [75, "UNKNOWN_LEADER_EPOCH"],
      [78, "OFFSET_NOT_AVAILABLE"],
      [89, "THROTTLING_QUOTA_EXCEEDED"],
      [93, "UNACCEPTABLE_CREDENTIAL"],
      [100, "UNKNOWN_TOPIC_ID"],
      [103, "INCONSISTENT_TOPIC_ID"],
      [129, "REBOOTSTRAP_REQUIRED"],
      [136, "CONTROLLER_ID_NOT_REGISTERED"],
    ];
    for (const [code, name] of known) expect([code, errorName(code)]).toEqual([code, name]);
    for (const [name, code] of Object.entries(ErrorCode)) expect(errorName(code)).toBe(name);
  });

  test("that are unknown still have something to be called", () => {
    expect(errorName(137)).toBe("ERROR_137");
    expect(errorName(-2)).toBe("ERROR_-2");
  });
});
