import type { InitProducerIdRequest, InitProducerIdResponse } from "@mantou/protocol";
import { ErrorCode } from "@mantou/protocol";
import type { BrokerContext, Call, Outcome } from "../handler.ts";
import { answer, later } from "../handler.ts";

/**
 * A producer id for an idempotent producer: a new one each time, at epoch 0. Transactional ids
 * are refused, since there is no transaction coordinator.
 */
export function handleInitProducerId(
  broker: BrokerContext,
  _call: Call,
  request: InitProducerIdRequest,
): Outcome<InitProducerIdResponse> {
  const { transactionalId, producerId, producerEpoch } = request;
  // An id without an epoch, or the other way around, means nothing.
  if ((producerId === -1) !== (producerEpoch === -1)) {
    return answer(respond(ErrorCode.INVALID_REQUEST));
  }
  if (transactionalId !== null) return answer(respond(ErrorCode.INVALID_REQUEST));
  return later(
    broker.nextProducerId().then(
      (given) => ({ ...respond(ErrorCode.NONE), producerId: given, producerEpoch: 0 }),
      // The controller cannot be reached or is being elected: the client asks again.
      () => respond(ErrorCode.COORDINATOR_NOT_AVAILABLE),
    ),
  );
}

const respond = (errorCode: ErrorCode): InitProducerIdResponse => ({
  throttleTimeMs: 0,
  errorCode,
  producerId: -1,
  producerEpoch: -1,
  ongoingTxnProducerId: -1,
  ongoingTxnProducerEpoch: -1,
});
