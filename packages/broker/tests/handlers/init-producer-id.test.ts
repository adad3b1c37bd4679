import { describe, expect, test } from "bun:test";
import { ErrorCode, type InitProducerIdRequestInput, initProducerIdApi } from "@mantou/protocol";
import { handleInitProducerId } from "../../src/handlers/init-producer-id.ts";
import { HandlerContext, ask, versionsOf } from "./handler-context.ts";

const init = (
  broker: HandlerContext,
  version: number,
  more: Partial<InitProducerIdRequestInput> = {},
) =>
  ask(broker, initProducerIdApi, handleInitProducerId, version, {
    transactionalId: null,
    transactionTimeoutMs: 1000,
    ...more,
  });

describe("InitProducerId", () => {
  test.each(versionsOf(initProducerIdApi))(
    "v%d gives a new id each time, at epoch 0",
    async (version) => {
      const broker = new HandlerContext();
      for (const producerId of [4000, 4001]) {
        const given = await init(broker, version);
        expect(given).toMatchObject({ errorCode: 0, producerId, producerEpoch: 0 });
      }
    },
  );

  test("an id without an epoch, or the other way around, is refused; both are ignored", async () => {
    const broker = new HandlerContext();
    const code = async (producerId: number, producerEpoch: number) =>
      (await init(broker, 4, { producerId, producerEpoch })).errorCode;
    expect(await code(5, -1)).toBe(ErrorCode.INVALID_REQUEST);
    expect(await code(-1, 5)).toBe(ErrorCode.INVALID_REQUEST);
    expect(await code(5, 5)).toBe(ErrorCode.NONE);
  });

  test("an empty transactional id names nobody, any other is its coordinator's", async () => {
    const broker = new HandlerContext();
    const code = async (transactionalId: string) =>
      (await init(broker, 5, { transactionalId })).errorCode;
    expect(await code("")).toBe(ErrorCode.INVALID_REQUEST);
    expect(await code("t")).toBe(ErrorCode.NOT_COORDINATOR);
  });

  test("without a controller the client is asked to come again", async () => {
    const broker = new HandlerContext();
    broker.nextId = null;
    expect((await init(broker, 5)).errorCode).toBe(ErrorCode.COORDINATOR_NOT_AVAILABLE);
  });
});
