import type { EndTxnRequest, EndTxnResponse } from "@mantou/protocol";
import type { ErrorCode } from "@mantou/protocol";
import type { BrokerContext, Call, Outcome } from "../handler.ts";
import type { Refused } from "../refusals.ts";
import { FENCED_SINCE, askTransaction, fencedCode } from "./ask-transactions.ts";

/** From here on the end raises the producer's epoch (KIP-890). */
const NEW_EPOCH_SINCE = 5;

/** Commits or aborts a transaction: answered once the decision is durable, markers follow. */
export function handleEndTxn(
  broker: BrokerContext,
  call: Call,
  request: EndTxnRequest,
): Outcome<EndTxnResponse> {
  const { committed, producerEpoch, producerId, transactionalId } = request;
  const isNew = call.version >= NEW_EPOCH_SINCE;
  const isKnown = call.version >= FENCED_SINCE.others;
  return askTransaction<"producer", EndTxnResponse>(
    broker,
    transactionalId,
    {
      kind: "endTransaction",
      transactionalId,
      producerId,
      producerEpoch,
      isCommit: committed,
      clientVersion: isNew ? 2 : 0,
    },
    (reply) => {
      const errorCode = fencedCode(reply.errorCode, isKnown);
      return isNew ? respond(errorCode, reply.producerId, reply.producerEpoch) : respond(errorCode);
    },
    (errorCode) => respond(errorCode),
  );
}

export const refuseEndTxn = (_request: EndTxnRequest, { errorCode }: Refused): EndTxnResponse =>
  respond(errorCode);

const respond = (errorCode: ErrorCode, producerId = -1, producerEpoch = -1): EndTxnResponse => ({
  throttleTimeMs: 0,
  errorCode,
  producerId,
  producerEpoch,
});
