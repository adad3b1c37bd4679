import type { AddOffsetsToTxnRequest, AddOffsetsToTxnResponse } from "@mantou/protocol";
import { ErrorCode } from "@mantou/protocol";
import { CONSUMER_OFFSETS } from "../coordinators/internal-topics.ts";
import { coordinatorPartition } from "../coordinators/placement.ts";
import type { BrokerContext, Call, Outcome } from "../handler.ts";
import { answer, later } from "../handler.ts";
import type { Refused } from "../refusals.ts";
import type { PartitionsReply } from "@mantou/transactions";
import { FENCED_SINCE, fencedCode } from "./ask-transactions.ts";

/** Adds the partition that holds a group's offsets to a transaction. */
export function handleAddOffsetsToTxn(
  broker: BrokerContext,
  call: Call,
  request: AddOffsetsToTxnRequest,
): Outcome<AddOffsetsToTxnResponse> {
  const { groupId, producerEpoch, producerId, transactionalId } = request;
  if (transactionalId === "") return answer(respond(ErrorCode.INVALID_REQUEST));
  if (groupId === "") return answer(respond(ErrorCode.INVALID_GROUP_ID));
  // On a full disk only what is open is brought to its end.
  if (!broker.acceptsAppends) return answer(respond(ErrorCode.COORDINATOR_NOT_AVAILABLE));
  const add = (): Promise<AddOffsetsToTxnResponse> =>
    new Promise((resolve) => {
      const offsets = broker.image.topicByName(CONSUMER_OFFSETS);
      if (offsets === undefined) {
        resolve(respond(ErrorCode.COORDINATOR_NOT_AVAILABLE));
        return;
      }
      const partitions = [coordinatorPartition(groupId, offsets.partitionCount)];
      const topics = [{ topic: CONSUMER_OFFSETS, partitions }];
      const ids = { transactionalId, producerId, producerEpoch };
      const isKnown = call.version >= FENCED_SINCE.others;
      broker.transactions.ask(
        transactionalId,
        { kind: "addPartitions", ...ids, topics, clientVersion: 0 },
        (errorCode, reply) => {
          const code = reply === null ? errorCode : (reply as PartitionsReply).errorCode;
          resolve(respond(fencedCode(code, isKnown)));
        },
      );
    });
  const isThere = broker.image.topicByName(CONSUMER_OFFSETS) !== undefined;
  // The first offsets of all may be those of a transaction.
  return later(isThere ? add() : broker.ensureTopic(CONSUMER_OFFSETS).then(add));
}

export const refuseAddOffsetsToTxn = (
  _request: AddOffsetsToTxnRequest,
  { errorCode }: Refused,
): AddOffsetsToTxnResponse => respond(errorCode);

const respond = (errorCode: ErrorCode): AddOffsetsToTxnResponse => ({
  throttleTimeMs: 0,
  errorCode,
});
