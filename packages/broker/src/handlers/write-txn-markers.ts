import type { WriteTxnMarkersRequest, WriteTxnMarkersResponse } from "@mantou/protocol";
import { ErrorCode } from "@mantou/protocol";
import type { BrokerContext, Call, Outcome } from "../handler.ts";
import type { Refused } from "../refusals.ts";
import { gather } from "./ask-groups.ts";

type MarkerResult = WriteTxnMarkersResponse["markers"][number];
type Requested = WriteTxnMarkersRequest["markers"][number];

/**
 * Writes markers into partitions that this broker leads: for coordinators elsewhere, and for an
 * operator who ends a transaction that its coordinator has forgotten (KIP-664).
 */
export function handleWriteTxnMarkers(
  broker: BrokerContext,
  _call: Call,
  request: WriteTxnMarkersRequest,
): Outcome<WriteTxnMarkersResponse> {
  const results = sameForAll(request, ErrorCode.NONE);
  const writes = request.markers.flatMap((marker, at) =>
    marker.topics.flatMap(({ name, partitionIndexes }, topicAt) =>
      partitionIndexes.map((partition, partitionAt) => ({
        marker,
        topic: name,
        partition,
        result: results[at]?.topics[topicAt]?.partitions[partitionAt],
      })),
    ),
  );
  return gather(
    writes,
    ({ marker, partition, result, topic }, settle: (done: null) => void) =>
      broker.markers.write(
        topic,
        partition,
        markerOf(marker),
        marker.transactionVersion,
        (errorCode) => {
          if (result !== undefined) result.errorCode = errorCode;
          settle(null);
        },
      ),
    () => ({ markers: results }),
  );
}

export const refuseWriteTxnMarkers = (
  request: WriteTxnMarkersRequest,
  { errorCode }: Refused,
): WriteTxnMarkersResponse => ({ markers: sameForAll(request, errorCode) });

const markerOf = (marker: Requested) => ({
  producerId: marker.producerId,
  producerEpoch: marker.producerEpoch,
  coordinatorEpoch: marker.coordinatorEpoch,
  isCommit: marker.transactionResult,
});

const sameForAll = ({ markers }: WriteTxnMarkersRequest, errorCode: ErrorCode): MarkerResult[] =>
  markers.map(({ producerId, topics }) => ({
    producerId,
    topics: topics.map(({ name, partitionIndexes }) => ({
      name,
      partitions: partitionIndexes.map((partitionIndex) => ({ partitionIndex, errorCode })),
    })),
  }));
