import type { CoordinatorRecord } from "@mantou/base";
import type { Infer } from "@mantou/protocol";
import { defineCodec, f, int32, int64, string, struct, uuid } from "@mantou/protocol";
import type { CommittedOffset } from "../offsets/offset-store.ts";
import {
  RecordType,
  decodeKey,
  decodeValue,
  encodeKey,
  encodeValue,
  tombstone,
} from "./record-key.ts";

const key = struct({ group: string, topic: string, partition: int32 });

const value = struct({
  offset: int64,
  leaderEpoch: f(int32, { since: 3, default: -1, ignorable: true }),
  metadata: string,
  commitTimestamp: int64,
  expireTimestamp: f(int64, { since: 1, until: 1, default: -1, ignorable: true }),
  topicId: f(uuid, { since: 4, tag: 0, ignorable: true }),
});

export type OffsetCommitKey = Infer<typeof key>;

/** Types 0 and 1 have the same key. */
export const offsetCommitKeyCodec = defineCodec(key, { name: "OffsetCommitKey", versions: [0, 0] });
export const offsetCommitValueCodec = defineCodec(value, {
  name: "OffsetCommitValue",
  versions: [0, 4],
  flexible: 4,
});

/** Version 1 alone has the expiry that clients of old may set; Kafka writes the newest otherwise. */
const VERSION_WRITTEN = 4;
const VERSION_WITH_EXPIRY = 1;

function versionOf(offset: CommittedOffset): number {
  return offset.expireTimestampMs >= 0 ? VERSION_WITH_EXPIRY : VERSION_WRITTEN;
}

export function offsetCommitRecord(
  group: string,
  topic: string,
  partition: number,
  offset: CommittedOffset,
): CoordinatorRecord {
  return {
    key: offsetCommitKey(group, topic, partition),
    value: encodeValue(offsetCommitValueCodec, versionOf(offset), {
      offset: offset.offset,
      leaderEpoch: offset.leaderEpoch,
      metadata: offset.metadata,
      commitTimestamp: offset.commitTimestampMs,
      expireTimestamp: offset.expireTimestampMs,
      topicId: offset.topicId,
    }),
  };
}

function offsetCommitKey(group: string, topic: string, partition: number): Uint8Array {
  return encodeKey(offsetCommitKeyCodec, RecordType.OFFSET_COMMIT, { group, topic, partition });
}

export const offsetTombstone = (
  group: string,
  topic: string,
  partition: number,
): CoordinatorRecord => tombstone(offsetCommitKey(group, topic, partition));

/** Throws DecodeError. */
export const decodeOffsetCommitKey = (bytes: Uint8Array): OffsetCommitKey =>
  decodeKey(offsetCommitKeyCodec, bytes);

/** Throws DecodeError. */
export function decodeOffsetCommitValue(bytes: Uint8Array): CommittedOffset {
  const decoded = decodeValue(offsetCommitValueCodec, bytes);
  return {
    offset: decoded.offset,
    leaderEpoch: decoded.leaderEpoch,
    metadata: decoded.metadata,
    commitTimestampMs: decoded.commitTimestamp,
    expireTimestampMs: decoded.expireTimestamp,
    topicId: decoded.topicId,
  };
}
