import type { CoordinatorRecord, Uuid } from "@mantou/base";
import type { ErrorCode } from "@mantou/protocol";
import type {
  ConsumerGroupHeartbeat,
  ConsumerTimer,
  Heartbeat,
  JoinGroup,
  LeaveGroup,
  Replies,
  SyncGroup,
} from "./commands.ts";
import type { ConsumerGroup } from "./consumer/index.ts";
import type { Scope } from "./scope.ts";

/** Who commits: a generation of -1 and no member id is an administrator or a lone consumer. */
export interface Committer {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  /** The generation of a classic member, or the epoch of one of the consumer protocol. */
  readonly generationId: number;
  readonly isTransactional: boolean;
  /** Of OffsetCommit; -1 with TxnOffsetCommit. */
  readonly version: number;
}

/**
 * What the shard asks of the consumer protocol (KIP-848). The classic protocol's own side of the
 * door, for groups that change from one to the other, is classic/migration.ts.
 */
export interface ConsumerDoor {
  /** Of any group id: one that is missing, classic or of the consumer protocol. */
  heartbeat(scope: Scope, ticket: number | null, command: ConsumerGroupHeartbeat): void;
  describe(scope: Scope, group: ConsumerGroup): Replies["consumerGroupDescribe"];

  // Requests of the classic protocol that arrive at a group of the consumer protocol. A join at an
  // empty one does not: the shard removes that group and makes a classic one.
  join(scope: Scope, group: ConsumerGroup, ticket: number | null, command: JoinGroup): void;
  sync(scope: Scope, group: ConsumerGroup, ticket: number | null, command: SyncGroup): void;
  classicHeartbeat(
    scope: Scope,
    group: ConsumerGroup,
    ticket: number | null,
    command: Heartbeat,
  ): void;
  leave(scope: Scope, group: ConsumerGroup, ticket: number | null, command: LeaveGroup): void;

  /** Has no member. */
  isEmpty(group: ConsumerGroup): boolean;
  /** As it is shown: Empty, Assigning, Reconciling, Stable. */
  stateName(group: ConsumerGroup): string;
  /** Whether any member subscribes to the topic, by name or by pattern. */
  isSubscribed(group: ConsumerGroup, topic: string): boolean;
  /** @param partitions what is committed; asked for only where the epoch is an older one. */
  checkCommit(
    group: ConsumerGroup,
    committer: Committer,
    partitions: () => Iterable<readonly [Uuid, number]>,
  ): ErrorCode;
  checkFetch(group: ConsumerGroup, memberId: string | null, memberEpoch: number): ErrorCode;

  /**
   * Forgets an empty group: takes it out of the scope, cancels its timers, and gives the tombstones
   * of all of its records. Its offsets stay.
   */
  remove(scope: Scope, group: ConsumerGroup): CoordinatorRecord[];
  fire(scope: Scope, timer: ConsumerTimer): void;
  topicsChanged(scope: Scope, names: readonly string[]): void;
  /** A record of any type but 0, 1 and 2. Types that are not known are passed over. */
  replay(scope: Scope, recordType: number, record: CoordinatorRecord): void;
  /** The partition is replayed: completes the group and sets its timers. */
  loaded(scope: Scope, group: ConsumerGroup): void;
  checkInvariants(scope: Scope, group: ConsumerGroup): void;
}
