import type { CoordinatorRecord, Moment } from "@mantou/base";
import { assert } from "@mantou/base";
import type { Assignment } from "../assignors/index.ts";
import {
  currentAssignmentRecord,
  groupEpochRecord,
  memberMetadataRecord,
  regularExpressionRecord,
  targetMemberRecord,
  targetMetadataRecord,
} from "../records/consumer-records.ts";
import type { Scope } from "../scope.ts";
import type { ConsumerGroup } from "./consumer-group.ts";
import type { MemberCurrent, MemberMetadata } from "./member.ts";
import { currentToValue, metadataToValue } from "./member.ts";
import { toPartitionList } from "./partitions.ts";

/** A batch is closed when it holds this much, so that it fits the topic's max.message.bytes. */
const BATCH_BYTES = 512 * 1024;

/**
 * The records of one step about one group: each changes the group at once and is written when the
 * step ends. They may be split over batches: what a crash in between leaves is a target that is
 * behind the group's epoch, which the next heartbeat computes again.
 */
export class Journal {
  private records: CoordinatorRecord[] = [];
  private bytes = 0;
  private readonly groupId: string;

  constructor(
    private readonly scope: Scope,
    readonly group: ConsumerGroup,
  ) {
    this.groupId = group.groupId;
  }

  get now(): Moment {
    return this.scope.now;
  }

  /** For records that are about the group but not of the consumer protocol. */
  push(record: CoordinatorRecord): void {
    this.records.push(record);
    this.bytes += record.key.length + (record.value?.length ?? 0);
    if (this.bytes >= BATCH_BYTES) this.flush();
  }

  flush(): void {
    if (this.records.length === 0) return;
    this.scope.write(this.records);
    this.records = [];
    this.bytes = 0;
  }

  /** Hands over what was written and not flushed yet. */
  take(): CoordinatorRecord[] {
    const { records } = this;
    this.records = [];
    this.bytes = 0;
    return records;
  }

  setEpoch(epoch: number, metadataHash: number): void {
    assert(epoch > this.group.groupEpoch, "a group's epoch only rises");
    this.group.setEpoch(epoch, metadataHash);
    this.push(groupEpochRecord(this.groupId, { epoch, metadataHash }));
  }

  setMetadata(memberId: string, metadata: MemberMetadata): void {
    this.group.setMetadata(memberId, metadata);
    this.push(memberMetadataRecord(this.groupId, memberId, metadataToValue(metadata)));
  }

  setCurrent(memberId: string, current: MemberCurrent): void {
    this.assertFree(memberId, current.assigned);
    this.assertFree(memberId, current.revoking);
    this.group.setCurrent(memberId, current);
    this.push(currentAssignmentRecord(this.groupId, memberId, currentToValue(current)));
  }

  setTarget(memberId: string, target: Assignment): void {
    this.group.setTarget(memberId, target);
    const value = { topicPartitions: toPartitionList(target) };
    this.push(targetMemberRecord(this.groupId, memberId, value));
  }

  setTargetEpoch(epoch: number): void {
    const timestampMs = this.now.wallMs;
    this.group.setTargetEpoch(epoch, timestampMs);
    const value = { assignmentEpoch: epoch, assignmentTimestamp: timestampMs };
    this.push(targetMetadataRecord(this.groupId, value));
  }

  setRegex(source: string, topics: ReadonlySet<string>): void {
    const timestampMs = this.now.wallMs;
    this.group.setRegex(source, { topics, timestampMs });
    let bytes = 0;
    for (const topic of topics) bytes += topic.length + 2;
    // Too much for a record is left out: whoever loads the group matches the pattern anew.
    const fits = bytes <= this.scope.settings.bounds.recordBytesMax;
    const value = { topics: fits ? [...topics] : [], version: 0, timestamp: timestampMs };
    this.push(regularExpressionRecord(this.groupId, source, value));
  }

  removeRegex(source: string): void {
    this.group.setRegex(source, null);
    this.push(regularExpressionRecord(this.groupId, source, null));
  }

  removeMember(memberId: string): void {
    if (this.group.member(memberId) === undefined) return;
    this.push(currentAssignmentRecord(this.groupId, memberId, null));
    if (this.group.targetAssignments.has(memberId)) {
      this.group.setTarget(memberId, null);
      this.push(targetMemberRecord(this.groupId, memberId, null));
    }
    this.group.removeMember(memberId);
    this.push(memberMetadataRecord(this.groupId, memberId, null));
  }

  /** The group as it is, which no record has told yet. */
  pushWhole(): void {
    const { group, groupId } = this;
    const { groupEpoch: epoch, metadataHash, targetEpoch } = group;
    for (const { memberId, metadata } of group.members.values()) {
      this.push(memberMetadataRecord(groupId, memberId, metadataToValue(metadata)));
    }
    this.push(groupEpochRecord(groupId, { epoch, metadataHash }));
    for (const [memberId, target] of group.targetAssignments) {
      this.push(
        targetMemberRecord(groupId, memberId, { topicPartitions: toPartitionList(target) }),
      );
    }
    this.push(targetMetadataRecord(groupId, { assignmentEpoch: targetEpoch }));
    for (const { memberId, current } of group.members.values()) {
      this.push(currentAssignmentRecord(groupId, memberId, currentToValue(current)));
    }
  }

  /** Everything that the group has in the log. The group itself is left as it is. */
  pushTombstones(): void {
    const { group, groupId } = this;
    for (const memberId of group.members.keys()) {
      this.push(currentAssignmentRecord(groupId, memberId, null));
    }
    for (const memberId of group.targetAssignments.keys()) {
      this.push(targetMemberRecord(groupId, memberId, null));
    }
    this.push(targetMetadataRecord(groupId, null));
    for (const memberId of group.members.keys()) {
      this.push(memberMetadataRecord(groupId, memberId, null));
    }
    for (const source of group.regexes.keys()) {
      this.push(regularExpressionRecord(groupId, source, null));
    }
    this.push(groupEpochRecord(groupId, null));
  }

  private assertFree(memberId: string, partitions: Assignment): void {
    for (const [topicId, list] of partitions) {
      for (const partition of list) {
        const owner = this.group.ownerOf(topicId, partition);
        assert(owner === undefined || owner === memberId, "a partition has one owner at a time");
      }
    }
  }
}
