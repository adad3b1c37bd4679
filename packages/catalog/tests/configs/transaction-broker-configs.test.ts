import { expect, test } from "bun:test";
import { parseBrokerConfig } from "../../src/index.ts";

const parsed = (...given: (readonly [string, string])[]) => parseBrokerConfig(given);

test("settings of transactions have Kafka's defaults, and are typed", () => {
  const config = parsed();
  if (!config.ok) throw new Error(config.error.join());
  expect(config.value.transactions).toEqual({
    timeoutMaxMs: 900_000,
    idExpirationMs: 604_800_000,
    sweepIntervalMs: 10_000,
    expireIntervalMs: 3_600_000,
    concurrentWaitMs: 100,
    idsPerPartitionMax: 100_000,
    partitionsMax: 10_000,
    verifiesPartitions: true,
  });
  const changed = parsed(
    ["transaction.max.timeout.ms", "60000"],
    ["transaction.partition.verification.enable", "false"],
  );
  if (!changed.ok) throw new Error(changed.error.join());
  expect(changed.value.transactions).toMatchObject({
    timeoutMaxMs: 60_000,
    verifiesPartitions: false,
  });
});

test("what cannot be served is refused where it is written", () => {
  for (const [name, value] of [
    ["transaction.two.phase.commit.enable", "true"],
    ["transaction.max.timeout.ms", "0"],
    ["transactional.id.expiration.ms", "x"],
    ["mantou.transaction.partitions.max", "0"],
  ] as const) {
    const refused = parsed([name, value]);
    expect(refused.ok ? "" : refused.error.join()).toContain(name);
  }
});
