import type { OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse } from "@mantou/protocol";
import { ErrorCode } from "@mantou/protocol";
import type { BrokerContext, Call, Outcome } from "../handler.ts";
import { answer } from "../handler.ts";
import { epochError, resolveByName } from "./partition-checks.ts";

/** OffsetForLeaderEpoch: where an epoch ends in our log, so that a client can cut what we lost. */
export function handleOffsetForLeaderEpoch(
  broker: BrokerContext,
  _call: Call,
  request: OffsetForLeaderEpochRequest,
): Outcome<OffsetForLeaderEpochResponse> {
  return answer({
    throttleTimeMs: 0,
    topics: request.topics.map((topic) => ({
      topic: topic.topic,
      partitions: topic.partitions.map((partition) => {
        const found = {
          errorCode: ErrorCode.NONE as number,
          partition: partition.partition,
          leaderEpoch: -1,
          endOffset: -1,
        };
        const resolved = resolveByName(broker, topic.topic, partition.partition);
        if ("errorCode" in resolved) {
          found.errorCode = resolved.errorCode;
          return found;
        }
        found.errorCode = epochError(broker, resolved.logId, partition.currentLeaderEpoch);
        if (found.errorCode !== ErrorCode.NONE) return found;
        const end = broker.partitions.endOffsetForEpoch(resolved.logId, partition.leaderEpoch);
        found.leaderEpoch = end.epoch;
        found.endOffset = end.endOffset;
        return found;
      }),
    })),
  });
}
