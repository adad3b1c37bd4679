import { ZERO_UUID } from "@mantou/base";
import type { DeleteTopics, DeletedTopic } from "@mantou/catalog";
import type { DeleteTopicsRequest, DeleteTopicsResponse } from "@mantou/protocol";
import { ErrorCode } from "@mantou/protocol";
import type { BrokerContext, Call, Outcome } from "../handler.ts";
import { later } from "../handler.ts";

/** From here on topics are named one by one, by name or by id. */
const TOPIC_ID_VERSION = 6;
/** Below it TOPIC_DELETION_DISABLED is unknown to clients. */
const DISABLED_ERROR_VERSION = 3;

export function handleDeleteTopics(
  broker: BrokerContext,
  call: Call,
  request: DeleteTopicsRequest,
): Outcome<DeleteTopicsResponse> {
  const decided = broker.controller.decide(deleteTopicsCommand(request, call.version));
  return later(decided.then((deleted) => deleteTopicsResponse(deleted, call.version)));
}

export function deleteTopicsCommand(request: DeleteTopicsRequest, version: number): DeleteTopics {
  const topics =
    version >= TOPIC_ID_VERSION
      ? request.topics
      : request.topicNames.map((name) => ({ name, topicId: ZERO_UUID }));
  return { kind: "deleteTopics", topics };
}

export function deleteTopicsResponse(
  deleted: readonly DeletedTopic[],
  version: number,
): DeleteTopicsResponse {
  return {
    throttleTimeMs: 0,
    responses: deleted.map(({ name, topicId, errorCode, errorMessage }) => ({
      // Only a topic asked for by id can be without a name, and only where ids are known.
      name: version < TOPIC_ID_VERSION ? (name ?? "") : name,
      topicId,
      errorCode:
        errorCode === ErrorCode.TOPIC_DELETION_DISABLED && version < DISABLED_ERROR_VERSION
          ? ErrorCode.INVALID_REQUEST
          : errorCode,
      errorMessage,
    })),
  };
}
