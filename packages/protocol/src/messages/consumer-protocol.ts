import type { Codec } from "../schema/codec.ts";
import { defineCodec } from "../schema/codec.ts";
import { DecodeError } from "../schema/failure.ts";
import { Reader } from "../schema/reader.ts";
import type { Infer, InferInput } from "../schema/types.ts";
import { array, bytes, f, int32, string, struct } from "../schema/types.ts";
import { Writer } from "../schema/writer.ts";

/**
 * What members of a classic consumer group say to each other through JoinGroup (`metadata`) and
 * SyncGroup (`assignment`): an int16 version, then the message. To the broker both are opaque,
 * except where it shows a group to an operator or checks a subscription.
 */

const topicPartition = struct({ topic: string, partitions: array(int32) });

const subscription = struct({
  topics: array(string),
  userData: f(bytes, { nullable: true, default: null }),
  ownedPartitions: f(array(topicPartition), { since: 1, ignorable: true }),
  generationId: f(int32, { since: 2, default: -1, ignorable: true }),
  rackId: f(string, { since: 3, nullable: true, default: null, ignorable: true }),
});

const assignment = struct({
  assignedPartitions: array(topicPartition),
  userData: f(bytes, { nullable: true, default: null }),
});

export type ConsumerSubscription = Infer<typeof subscription>;
export type ConsumerSubscriptionInput = InferInput<typeof subscription>;
export type ConsumerAssignment = Infer<typeof assignment>;
export type ConsumerAssignmentInput = InferInput<typeof assignment>;

export const consumerSubscriptionCodec = defineCodec(subscription, {
  name: "ConsumerProtocolSubscription",
  versions: [0, 3],
});

export const consumerAssignmentCodec = defineCodec(assignment, {
  name: "ConsumerProtocolAssignment",
  versions: [0, 3],
});

const INITIAL_BYTES = 256;

function encodeVersioned<In>(codec: Codec<unknown, In>, value: In, version: number): Uint8Array {
  const writer = new Writer(INITIAL_BYTES);
  writer.int16(version);
  codec.encode(writer, value, version);
  return writer.toBytes();
}

/** Versions above ours are read as our highest: they only ever grow at the end. */
function decodeVersioned<Out>(codec: Codec<Out, never>, message: Uint8Array): Out {
  const reader = new Reader(message);
  if (reader.remaining < 2) throw new DecodeError(`${codec.name}: no version`, 0);
  const version = reader.int16();
  return codec.decode(reader, Math.min(version, codec.maxVersion));
}

/** The `metadata` of a member in JoinGroup. */
export const encodeConsumerSubscription = (
  value: ConsumerSubscriptionInput,
  version: number,
): Uint8Array => encodeVersioned(consumerSubscriptionCodec, value, version);

/** Throws DecodeError. */
export const decodeConsumerSubscription = (message: Uint8Array): ConsumerSubscription =>
  decodeVersioned(consumerSubscriptionCodec, message);

/** The `assignment` of a member in SyncGroup. */
export const encodeConsumerAssignment = (
  value: ConsumerAssignmentInput,
  version: number,
): Uint8Array => encodeVersioned(consumerAssignmentCodec, value, version);

/** Throws DecodeError. */
export const decodeConsumerAssignment = (message: Uint8Array): ConsumerAssignment =>
  decodeVersioned(consumerAssignmentCodec, message);
