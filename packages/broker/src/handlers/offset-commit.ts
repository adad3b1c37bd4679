import type { OffsetCommitRequest, OffsetCommitResponseInput } from "@mantou/protocol";
import { ErrorCode } from "@mantou/protocol";
import type { BrokerContext, Call, Outcome } from "../handler.ts";
import { answer } from "../handler.ts";
import type { Refused } from "../refusals.ts";
import { askGroup } from "./ask-groups.ts";

/** A group without a name may commit: some standalone consumers have none. */
export function handleOffsetCommit(
  broker: BrokerContext,
  call: Call,
  request: OffsetCommitRequest,
): Outcome<OffsetCommitResponseInput> {
  const { version } = call;
  // Commits without end would use up what deletes and metadata need; members wait and try again.
  if (!broker.acceptsAppends) {
    const errorCode = ErrorCode.COORDINATOR_NOT_AVAILABLE;
    return answer(refuseOffsetCommit(request, { errorCode }));
  }
  return askGroup(
    broker,
    request.groupId,
    { kind: "offsetCommit", request, version },
    (reply) => ({ ...reply, throttleTimeMs: 0 }),
    (errorCode) => refuseOffsetCommit(request, { errorCode }),
  );
}

export const refuseOffsetCommit = (
  request: OffsetCommitRequest,
  { errorCode }: Refused,
): OffsetCommitResponseInput => ({
  throttleTimeMs: 0,
  topics: request.topics.map(({ name, topicId, partitions }) => ({
    name,
    topicId,
    partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode })),
  })),
});
