import { describe, expect, test } from "bun:test";
import { brokerConfigs, topicConfigs } from "../../src/index.ts";

const accepts = (name: string, value: string): boolean =>
  topicConfigs.get(name)?.check(value) === null;

describe("topic settings", () => {
  test("the default of each is acceptable, and is that of its weakest broker name", () => {
    for (const definition of topicConfigs.values()) {
      const { name, fallback, synonyms } = definition;
      expect([name, fallback === null ? "none" : definition.check(fallback)]).toEqual([name, null]);
      const last = synonyms.at(-1);
      const broker = brokerConfigs.get(last?.name ?? "");
      expect(broker).toBeDefined();
      const scaled =
        last?.scale === 1
          ? broker?.fallback
          : String(Number(broker?.fallback) * (last?.scale as number));
      expect([name, scaled]).toEqual([name, fallback as string]);
    }
  });

  test("every one is documented in a sentence", () => {
    for (const definition of [...topicConfigs.values(), ...brokerConfigs.values()]) {
      expect(definition.documentation).toMatch(/^\S.*\.$/s);
    }
  });

  test.each([
    ["retention.ms", ["-1", "0", "9223372036854775807"], ["-2", "", "1.5", "9223372036854775808"]],
    ["segment.bytes", ["1048576", "2147483647"], ["1048575", "2147483648", "1e9"]],
    ["min.insync.replicas", ["1", "3"], ["0", "-1"]],
    ["message.timestamp.type", ["CreateTime", "LogAppendTime"], ["createtime", ""]],
    [
      "cleanup.policy",
      ["delete", " delete ", "compact", "compact,delete", "delete, compact"],
      ["", "keep", "compact,compact", "compact,keep"],
    ],
    ["min.cleanable.dirty.ratio", ["0", "0.5", "1", ".25", "1e-3"], ["-0.1", "1.01", "half", ""]],
    ["delete.retention.ms", ["0", "86400000"], ["-1"]],
    ["max.compaction.lag.ms", ["1", "9223372036854775807"], ["0"]],
    ["min.compaction.lag.ms", ["0"], ["-1"]],
    ["compression.type", ["producer"], ["gzip", "none", ""]],
    ["preallocate", ["true", "False"], ["yes", "1"]],
    ["unclean.leader.election.enable", ["false", "FALSE"], ["true"]],
    ["mantou.durability", ["fsync", "page-cache"], ["none"]],
    ["flush.ms", ["9223372036854775807"], ["1000"]],
  ])("%s", (name, good, bad) => {
    for (const value of good) expect([value, accepts(name, value)]).toEqual([value, true]);
    for (const value of bad) expect([value, accepts(name, value)]).toEqual([value, false]);
  });
});
