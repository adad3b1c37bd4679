import type { FindCoordinatorRequest, FindCoordinatorResponse } from "@mantou/protocol";
import { ErrorCode } from "@mantou/protocol";
import type { BrokerContext, Call, Outcome } from "../handler.ts";
import { answer } from "../handler.ts";
import type { Failure } from "../refusals.ts";

/** From here on the request has a list of keys; librdkafka and kafkajs stay below. */
const BATCHED_SINCE = 4;

const NO_COORDINATOR = "this broker has no consumer groups and no transactions";

/**
 * FindCoordinator: nobody coordinates here, and each key is told so. It is served because
 * librdkafka takes version 0 for the sign of a broker that knows lz4: where it is missing, such
 * batches come uncompressed without a word.
 *
 * Java's clients give up on UNSUPPORTED_VERSION with a clear error. Below the batched versions the
 * code is one that is tried again quietly: librdkafka's consumer looks for a coordinator also when
 * its partitions are assigned by hand, and would hand any other code to the application.
 */
export function handleFindCoordinator(
  _broker: BrokerContext,
  call: Call,
  request: FindCoordinatorRequest,
): Outcome<FindCoordinatorResponse> {
  const errorCode =
    call.version < BATCHED_SINCE
      ? ErrorCode.COORDINATOR_NOT_AVAILABLE
      : ErrorCode.UNSUPPORTED_VERSION;
  const failure = { errorCode, errorMessage: NO_COORDINATOR };
  return answer(refuseFindCoordinator(request, failure, call.version));
}

const nowhere = { nodeId: -1, host: "", port: -1 };

/** One code for the one key, or for each of the list. */
export function refuseFindCoordinator(
  request: FindCoordinatorRequest,
  failure: Failure,
  version: number,
): FindCoordinatorResponse {
  if (version < BATCHED_SINCE) {
    return { throttleTimeMs: 0, ...failure, ...nowhere, coordinators: [] };
  }
  const one = { errorCode: ErrorCode.NONE, errorMessage: null, nodeId: 0, host: "", port: 0 };
  const coordinators = request.coordinatorKeys.map((key) => ({ key, ...failure, ...nowhere }));
  return { throttleTimeMs: 0, ...one, coordinators };
}
