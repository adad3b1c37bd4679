import type { Uuid } from "@mantou/base";

/** A committed position. */
export interface CommittedOffset {
  readonly offset: number;
  /** Of the last record that was consumed; -1: not known. */
  readonly leaderEpoch: number;
  readonly metadata: string;
  readonly commitTimestampMs: number;
  /** When clients of old wanted it gone; -1: when the group's retention says so. */
  readonly expireTimestampMs: number;
  /** Zero where it was not known. */
  readonly topicId: Uuid;
}

export class OffsetStore {}
