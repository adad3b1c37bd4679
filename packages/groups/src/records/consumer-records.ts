import type { CoordinatorRecord } from "@mantou/base";
import type { Codec, Infer, InferInput, Type } from "@mantou/protocol";
import {
  array,
  bytes,
  defineCodec,
  f,
  int32,
  int64,
  int8,
  string,
  struct,
  uuid,
} from "@mantou/protocol";
import { decodeKey, decodeValue, encodeKey, encodeValue } from "./record-key.ts";

/** Types of the records of consumer groups (KIP-848), as `RecordType` has those of the others. */
export const ConsumerRecordType = {
  GROUP_EPOCH: 3,
  /** Of Kafka before 4.1 (KIP-1101): read over, never written. */
  PARTITION_METADATA: 4,
  MEMBER_METADATA: 5,
  TARGET_METADATA: 6,
  TARGET_MEMBER: 7,
  CURRENT_ASSIGNMENT: 8,
  REGULAR_EXPRESSION: 16,
} as const;

const groupKey = struct({ groupId: string });
const memberKey = struct({ groupId: string, memberId: string });
const regexKey = struct({ groupId: string, regularExpression: string });

const groupEpoch = struct({ epoch: int32, metadataHash: f(int64, { tag: 0, default: 0 }) });

const memberMetadata = struct({
  instanceId: f(string, { nullable: true }),
  rackId: f(string, { nullable: true }),
  clientId: string,
  clientHost: string,
  subscribedTopicNames: array(string),
  subscribedTopicRegex: f(string, { nullable: true }),
  rebalanceTimeoutMs: f(int32, { default: -1 }),
  serverAssignor: f(string, { nullable: true }),
  classicMemberMetadata: f(
    struct({
      sessionTimeoutMs: int32,
      supportedProtocols: array(struct({ name: string, metadata: bytes })),
    }),
    { tag: 0, nullable: true, default: null },
  ),
});

const targetMetadata = struct({
  assignmentEpoch: int32,
  assignmentTimestamp: f(int64, { tag: 0, default: 0, ignorable: true }),
});

const targetMember = struct({
  topicPartitions: array(struct({ topicId: uuid, partitions: array(int32) })),
});

const topicPartitions = struct({
  topicId: uuid,
  partitions: array(int32),
  assignmentEpochs: f(array(int32), { tag: 0, nullable: true, default: null }),
});

const currentAssignment = struct({
  memberEpoch: int32,
  previousMemberEpoch: int32,
  state: int8,
  assignedPartitions: array(topicPartitions),
  partitionsPendingRevocation: array(topicPartitions),
});

const regularExpressionValue = struct({ topics: array(string), version: int64, timestamp: int64 });

export type GroupEpochValue = Infer<typeof groupEpoch>;
export type MemberMetadataValue = Infer<typeof memberMetadata>;
export type TargetMetadataValue = Infer<typeof targetMetadata>;
export type TargetMemberValue = Infer<typeof targetMember>;
export type CurrentAssignmentValue = Infer<typeof currentAssignment>;
export type RegularExpressionValue = Infer<typeof regularExpressionValue>;

const versions = [0, 0] as const;
const keyCodec = <Out extends In, In>(schema: Type<Out, In>, name: string): Codec<Out, In> =>
  defineCodec(schema, { name: `ConsumerGroup${name}Key`, versions });
const valueCodec = <Out extends In, In>(schema: Type<Out, In>, name: string): Codec<Out, In> =>
  defineCodec(schema, { name: `ConsumerGroup${name}Value`, versions, flexible: 0 });

/** By the names of Kafka's definitions: `ConsumerGroup`, this, `Key` or `Value`. */
export const consumerCodecs = {
  Metadata: { key: keyCodec(groupKey, "Metadata"), value: valueCodec(groupEpoch, "Metadata") },
  MemberMetadata: {
    key: keyCodec(memberKey, "MemberMetadata"),
    value: valueCodec(memberMetadata, "MemberMetadata"),
  },
  TargetAssignmentMetadata: {
    key: keyCodec(groupKey, "TargetAssignmentMetadata"),
    value: valueCodec(targetMetadata, "TargetAssignmentMetadata"),
  },
  TargetAssignmentMember: {
    key: keyCodec(memberKey, "TargetAssignmentMember"),
    value: valueCodec(targetMember, "TargetAssignmentMember"),
  },
  CurrentMemberAssignment: {
    key: keyCodec(memberKey, "CurrentMemberAssignment"),
    value: valueCodec(currentAssignment, "CurrentMemberAssignment"),
  },
  RegularExpression: {
    key: keyCodec(regexKey, "RegularExpression"),
    value: valueCodec(regularExpressionValue, "RegularExpression"),
  },
};

function record<K, V>(
  codecs: { readonly key: Codec<unknown, K>; readonly value: Codec<unknown, V> },
  recordType: number,
  key: K,
  value: V | null,
): CoordinatorRecord {
  return {
    key: encodeKey(codecs.key, recordType, key),
    value: value === null ? null : encodeValue(codecs.value, 0, value),
  };
}

// Each takes null for the tombstone.

export const groupEpochRecord = (
  groupId: string,
  value: InferInput<typeof groupEpoch> | null,
): CoordinatorRecord =>
  record(consumerCodecs.Metadata, ConsumerRecordType.GROUP_EPOCH, { groupId }, value);

export const memberMetadataRecord = (
  groupId: string,
  memberId: string,
  value: InferInput<typeof memberMetadata> | null,
): CoordinatorRecord => {
  const key = { groupId, memberId };
  return record(consumerCodecs.MemberMetadata, ConsumerRecordType.MEMBER_METADATA, key, value);
};

export const targetMetadataRecord = (
  groupId: string,
  value: InferInput<typeof targetMetadata> | null,
): CoordinatorRecord => {
  const codecs = consumerCodecs.TargetAssignmentMetadata;
  return record(codecs, ConsumerRecordType.TARGET_METADATA, { groupId }, value);
};

export const targetMemberRecord = (
  groupId: string,
  memberId: string,
  value: InferInput<typeof targetMember> | null,
): CoordinatorRecord => {
  const key = { groupId, memberId };
  return record(
    consumerCodecs.TargetAssignmentMember,
    ConsumerRecordType.TARGET_MEMBER,
    key,
    value,
  );
};

export const currentAssignmentRecord = (
  groupId: string,
  memberId: string,
  value: InferInput<typeof currentAssignment> | null,
): CoordinatorRecord => {
  const key = { groupId, memberId };
  const codecs = consumerCodecs.CurrentMemberAssignment;
  return record(codecs, ConsumerRecordType.CURRENT_ASSIGNMENT, key, value);
};

export const regularExpressionRecord = (
  groupId: string,
  regularExpression: string,
  value: InferInput<typeof regularExpressionValue> | null,
): CoordinatorRecord => {
  const key = { groupId, regularExpression };
  const codecs = consumerCodecs.RegularExpression;
  return record(codecs, ConsumerRecordType.REGULAR_EXPRESSION, key, value);
};

/** A record of a consumer group as it is read; a null value removes the key. */
export type ConsumerRecord =
  | {
      readonly kind: "groupEpoch";
      readonly groupId: string;
      readonly value: GroupEpochValue | null;
    }
  | {
      readonly kind: "memberMetadata";
      readonly groupId: string;
      readonly memberId: string;
      readonly value: MemberMetadataValue | null;
    }
  | {
      readonly kind: "targetMetadata";
      readonly groupId: string;
      readonly value: TargetMetadataValue | null;
    }
  | {
      readonly kind: "targetMember";
      readonly groupId: string;
      readonly memberId: string;
      readonly value: TargetMemberValue | null;
    }
  | {
      readonly kind: "current";
      readonly groupId: string;
      readonly memberId: string;
      readonly value: CurrentAssignmentValue | null;
    }
  | {
      readonly kind: "regex";
      readonly groupId: string;
      readonly regularExpression: string;
      readonly value: RegularExpressionValue | null;
    };

/** Null for a type that is not of consumer groups, or no longer used. Throws DecodeError. */
export function decodeConsumerRecord(
  recordType: number,
  { key, value }: CoordinatorRecord,
): ConsumerRecord | null {
  const read = <V>(codec: Codec<V, never>): V | null =>
    value === null ? null : decodeValue(codec, value);
  const {
    Metadata,
    MemberMetadata,
    TargetAssignmentMetadata,
    TargetAssignmentMember,
    CurrentMemberAssignment,
    RegularExpression,
  } = consumerCodecs;
  switch (recordType) {
    case ConsumerRecordType.GROUP_EPOCH:
      return { kind: "groupEpoch", ...decodeKey(Metadata.key, key), value: read(Metadata.value) };
    case ConsumerRecordType.MEMBER_METADATA: {
      const names = decodeKey(MemberMetadata.key, key);
      return { kind: "memberMetadata", ...names, value: read(MemberMetadata.value) };
    }
    case ConsumerRecordType.TARGET_METADATA: {
      const names = decodeKey(TargetAssignmentMetadata.key, key);
      return { kind: "targetMetadata", ...names, value: read(TargetAssignmentMetadata.value) };
    }
    case ConsumerRecordType.TARGET_MEMBER: {
      const names = decodeKey(TargetAssignmentMember.key, key);
      return { kind: "targetMember", ...names, value: read(TargetAssignmentMember.value) };
    }
    case ConsumerRecordType.CURRENT_ASSIGNMENT: {
      const names = decodeKey(CurrentMemberAssignment.key, key);
      return { kind: "current", ...names, value: read(CurrentMemberAssignment.value) };
    }
    case ConsumerRecordType.REGULAR_EXPRESSION: {
      const names = decodeKey(RegularExpression.key, key);
      return { kind: "regex", ...names, value: read(RegularExpression.value) };
    }
    default:
      return null;
  }
}
