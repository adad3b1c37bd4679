import type { InitProducerIdRequest, InitProducerIdResponse } from "@mantou/protocol";
import { ErrorCode } from "@mantou/protocol";
import type { BrokerContext, Call, Outcome } from "../handler.ts";
import { answer, later } from "../handler.ts";
import { FENCED_SINCE, askTransaction, fencedCode } from "./ask-transactions.ts";

/**
 * A producer id for an idempotent producer: a new one each time, at epoch 0. With a transactional
 * id its coordinator answers, and whoever held the id before is fenced.
 */
export function handleInitProducerId(
  broker: BrokerContext,
  call: Call,
  request: InitProducerIdRequest,
): Outcome<InitProducerIdResponse> {
  const { producerEpoch, producerId, transactionalId } = request;
  // An id without an epoch, or the other way around, means nothing.
  if ((producerId === -1) !== (producerEpoch === -1)) {
    return answer(respond(ErrorCode.INVALID_REQUEST));
  }
  if (transactionalId === null) {
    return later(
      broker.nextProducerId().then(
        (given) => respond(ErrorCode.NONE, given, 0),
        // The controller cannot be reached or is being elected: the client asks again.
        () => respond(ErrorCode.COORDINATOR_NOT_AVAILABLE),
      ),
    );
  }
  // On a full disk only what is open is brought to its end.
  if (!broker.acceptsAppends) return answer(respond(ErrorCode.COORDINATOR_NOT_AVAILABLE));
  const isKnown = call.version >= FENCED_SINCE.initProducerId;
  return askTransaction<"producer", InitProducerIdResponse>(
    broker,
    transactionalId,
    {
      kind: "initProducerId",
      transactionalId,
      timeoutMs: request.transactionTimeoutMs,
      producerId,
      producerEpoch,
    },
    (reply) => respond(fencedCode(reply.errorCode, isKnown), reply.producerId, reply.producerEpoch),
    (errorCode) => respond(errorCode),
  );
}

const respond = (
  errorCode: ErrorCode,
  producerId = -1,
  producerEpoch = -1,
): InitProducerIdResponse => ({
  throttleTimeMs: 0,
  errorCode,
  producerId,
  producerEpoch,
  ongoingTxnProducerId: -1,
  ongoingTxnProducerEpoch: -1,
});
