import type { CoordinatorRecord } from "@mantou/base";
import type { Infer, InferInput } from "@mantou/protocol";
import { array, bytes, defineCodec, f, int32, int64, string, struct } from "@mantou/protocol";
import {
  RecordType,
  decodeKey,
  decodeValue,
  encodeKey,
  encodeValue,
  tombstone,
} from "./record-key.ts";

const key = struct({ group: string });

const value = struct({
  protocolType: string,
  generation: int32,
  protocol: f(string, { nullable: true }),
  leader: f(string, { nullable: true }),
  currentStateTimestamp: f(int64, { since: 2, default: -1, ignorable: true }),
  members: array(
    struct({
      memberId: string,
      groupInstanceId: f(string, { since: 3, nullable: true, default: null, ignorable: true }),
      clientId: string,
      clientHost: string,
      rebalanceTimeout: f(int32, { since: 1, default: -1, ignorable: true }),
      sessionTimeout: int32,
      subscription: bytes,
      assignment: bytes,
    }),
  ),
});

export type GroupMetadata = Infer<typeof value>;
export type GroupMetadataInput = InferInput<typeof value>;

export const groupMetadataKeyCodec = defineCodec(key, {
  name: "GroupMetadataKey",
  versions: [0, 0],
});
export const groupMetadataValueCodec = defineCodec(value, {
  name: "GroupMetadataValue",
  versions: [0, 4],
  flexible: 4,
});

/** The last version without tagged fields: every reader of the topic knows it. */
const VERSION_WRITTEN = 3;

const groupMetadataKey = (group: string): Uint8Array =>
  encodeKey(groupMetadataKeyCodec, RecordType.GROUP_METADATA, { group });

export const groupMetadataRecord = (
  groupId: string,
  metadata: GroupMetadataInput,
): CoordinatorRecord => ({
  key: groupMetadataKey(groupId),
  value: encodeValue(groupMetadataValueCodec, VERSION_WRITTEN, metadata),
});

export const groupMetadataTombstone = (groupId: string): CoordinatorRecord =>
  tombstone(groupMetadataKey(groupId));

/** Throws DecodeError. */
export const decodeGroupMetadataKey = (keyBytes: Uint8Array): string =>
  decodeKey(groupMetadataKeyCodec, keyBytes).group;

/** Throws DecodeError. */
export const decodeGroupMetadata = (valueBytes: Uint8Array): GroupMetadata =>
  decodeValue(groupMetadataValueCodec, valueBytes);
