import { expect, test } from "bun:test";
import { millis } from "@mantou/base";
import { decide, encodeRecords, parseBrokerConfig } from "@mantou/catalog";
import { defaultOptions } from "raft-ts";
import { HandlerContext } from "./handlers/handler-context.ts";

const TOPICS = 1000;
const LARGEST = 300_000;

const accepts = (partitionsMax: number): boolean =>
  parseBrokerConfig([["mantou.partitions.max", String(partitionsMax)]]).ok;

test("a broker with as many partitions as may be set can start again", () => {
  expect([accepts(LARGEST), accepts(LARGEST + 1)]).toEqual([true, false]);
  const broker = new HandlerContext();
  for (let index = 0; index < TOPICS; index += 1) broker.create(`t${index}`);
  const started = parseBrokerConfig([]);
  if (!started.ok) throw new Error(started.error.join());
  const newUuid = () => broker.newUuid();
  const context = { nowMs: millis(0), newUuid, config: started.value };
  const register = {
    kind: "registerBroker",
    nodeId: 1,
    incarnationId: newUuid(),
    rack: null,
    endpoints: [{ listener: "P", host: "h", port: 1, securityProtocol: "PLAINTEXT" }],
    earlierIsAlive: false,
  } as const;
  // It gives up and takes over what it led, in one entry each: a topic each is the longest.
  const { records } = decide(broker.image, register, context);
  const bytesPerTopic = encodeRecords(records).length / TOPICS;
  expect(bytesPerTopic * LARGEST).toBeLessThan(defaultOptions.proposalBytesMax);
});
