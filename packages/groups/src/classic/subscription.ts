import type { ConsumerAssignment, ConsumerSubscription } from "@mantou/protocol";
import {
  DecodeError,
  Reader,
  consumerSubscriptionCodec,
  decodeConsumerAssignment,
  decodeConsumerSubscription,
} from "@mantou/protocol";

/** The protocol type of consumers: what its members say can be read. */
export const CONSUMER_PROTOCOL_TYPE = "consumer";
const VERSION_BYTES = 2;

/** @returns null where the bytes are not a subscription. */
export function readSubscription(metadata: Uint8Array): ConsumerSubscription | null {
  return orNull(() => decodeConsumerSubscription(metadata));
}

/**
 * The topics alone: they come first in every version, so what is behind them may be unreadable.
 * @returns null where the bytes are not a subscription.
 */
export function readSubscribedTopics(metadata: Uint8Array): readonly string[] | null {
  if (metadata.length < VERSION_BYTES) return null;
  const body = new Reader(metadata);
  body.int16();
  return orNull(() => consumerSubscriptionCodec.decode(body, 0).topics);
}

/** @returns null where the bytes are not an assignment. No bytes at all assign nothing. */
export function readAssignment(assignment: Uint8Array): ConsumerAssignment | null {
  if (assignment.length === 0) return { assignedPartitions: [], userData: null };
  return orNull(() => decodeConsumerAssignment(assignment));
}

function orNull<T>(decode: () => T): T | null {
  try {
    return decode();
  } catch (error) {
    if (error instanceof DecodeError) return null;
    throw error;
  }
}
