import type { CoordinatorRecord } from "@mantou/base";
import type { ConsumerRecord } from "../records/consumer-records.ts";
import { decodeConsumerRecord } from "../records/consumer-records.ts";
import type { Scope } from "../scope.ts";
import { ConsumerGroup } from "./consumer-group.ts";
import { currentFromValue, metadataFromValue } from "./member.ts";
import { toAssignment } from "./partitions.ts";

/**
 * Takes a record in. A log that was compacted tells of a group in any order, so whatever comes
 * first makes it. Throws DecodeError.
 */
export function replayConsumerRecord(
  scope: Scope,
  recordType: number,
  record: CoordinatorRecord,
): void {
  const read = decodeConsumerRecord(recordType, record);
  if (read === null) return;
  const known = scope.groups.get(read.groupId);
  if (known instanceof ConsumerGroup) {
    apply(scope, known, read);
    return;
  }
  // A tombstone of a group that is gone, or that is a classic one by now.
  if (read.value === null) return;
  const group = new ConsumerGroup(read.groupId);
  scope.groups.set(read.groupId, group);
  apply(scope, group, read);
}

function apply(scope: Scope, group: ConsumerGroup, record: ConsumerRecord): void {
  switch (record.kind) {
    case "groupEpoch":
      if (record.value === null) scope.groups.delete(group.groupId);
      else group.setEpoch(record.value.epoch, record.value.metadataHash);
      return;
    case "memberMetadata":
      if (record.value === null) group.removeMember(record.memberId);
      else group.setMetadata(record.memberId, metadataFromValue(record.value));
      return;
    case "targetMetadata": {
      const { assignmentEpoch, assignmentTimestamp } = record.value ?? NO_TARGET;
      group.setTargetEpoch(assignmentEpoch, assignmentTimestamp);
      return;
    }
    case "targetMember": {
      const target = record.value === null ? null : toAssignment(record.value.topicPartitions);
      group.setTarget(record.memberId, target);
      return;
    }
    case "current":
      group.setCurrent(
        record.memberId,
        record.value === null ? null : currentFromValue(record.value),
      );
      return;
    case "regex": {
      const { value } = record;
      const resolved =
        value === null ? null : { topics: new Set(value.topics), timestampMs: value.timestamp };
      group.setRegex(record.regularExpression, resolved);
    }
  }
}

const NO_TARGET = { assignmentEpoch: 0, assignmentTimestamp: 0 };
