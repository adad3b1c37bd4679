import type {
  CoordinatorRecord,
  CoordinatorShard,
  Moment,
  ReplayedBatch,
  TransactionMarker,
} from "@mantou/base";
import { unreachable } from "@mantou/base";
import { heartbeat, joinGroup, leaveGroup, syncGroup } from "./classic-requests.ts";
import { checkClassicGroup } from "./classic/invariants.ts";
import { sessionTimeout } from "./classic/membership.ts";
import { initialDelayOver, joinTimeout, syncTimeout } from "./classic/rebalance.ts";
import type { ClassicGroup } from "./classic/classic-group.ts";
import type { GroupCommand, GroupReply, GroupRequest, GroupTimer } from "./commands.ts";
import { consumerDoor } from "./consumer/index.ts";
import type { GroupContext } from "./context.ts";
import { deleteGroup, describeConsumerGroup, describeGroup, listGroups } from "./group-admin.ts";
import { dropIfForgettable } from "./group-table.ts";
import { offsetCommit, txnOffsetCommit } from "./offsets/commit.ts";
import { offsetDelete, topicsDeleted } from "./offsets/delete.ts";
import { OffsetExpiry } from "./offsets/expire.ts";
import { offsetFetch } from "./offsets/fetch.ts";
import { finishReplay, replayRecord } from "./replay.ts";
import type { GroupEffects } from "./scope.ts";
import { Scope } from "./scope.ts";

/**
 * The groups whose records are in one partition of the internal topic: of both protocols, with
 * their committed offsets. Pure; see `CoordinatorShard` for what its driver owes it.
 */
export class GroupShard implements CoordinatorShard<GroupCommand, GroupReply, GroupRequest> {
  private readonly scope: Scope;
  private readonly expiry = new OffsetExpiry();

  constructor(context: GroupContext) {
    this.scope = new Scope(context);
  }

  /** Groups of the shard, of either protocol. */
  get groupCount(): number {
    return this.scope.groups.size;
  }

  /** Offsets of the shard, pending ones too. */
  get offsetCount(): number {
    return this.scope.offsets.size;
  }

  /** Rounds that were completed, committed and expired offsets, since the shard was loaded. */
  get counts(): Readonly<Scope["counts"]> {
    return this.scope.counts;
  }

  replay(record: CoordinatorRecord, batch: ReplayedBatch): void {
    replayRecord(this.scope, record, batch);
  }

  replayMarker(marker: TransactionMarker): void {
    const groups = this.scope.offsets.endTransaction(marker.producerId, marker.isCommit);
    for (const groupId of groups) {
      const group = this.scope.groups.get(groupId);
      if (group !== undefined) dropIfForgettable(this.scope, group);
    }
  }

  loaded(now: Moment): GroupEffects {
    this.scope.now = now;
    finishReplay(this.scope);
    this.expiry.schedule(this.scope);
    return this.scope.take();
  }

  step(ticket: number | null, command: GroupCommand, now: Moment): GroupEffects {
    this.scope.now = now;
    this.dispatch(ticket, command);
    return this.scope.take();
  }

  private dispatch(ticket: number | null, command: GroupCommand): void {
    const { scope } = this;
    switch (command.kind) {
      case "heartbeat":
        return heartbeat(scope, ticket, command);
      case "joinGroup":
        return joinGroup(scope, ticket, command);
      case "syncGroup":
        return syncGroup(scope, ticket, command);
      case "leaveGroup":
        return leaveGroup(scope, ticket, command);
      case "consumerGroupHeartbeat":
        return consumerDoor.heartbeat(scope, ticket, command);
      case "offsetCommit":
        return offsetCommit(scope, ticket, command);
      case "txnOffsetCommit":
        return txnOffsetCommit(scope, ticket, command);
      case "offsetFetch":
        return offsetFetch(scope, ticket, command);
      case "offsetDelete":
        return offsetDelete(scope, ticket, command);
      case "describeGroup":
        return scope.reply(ticket, "describeGroup", describeGroup(scope, command));
      case "consumerGroupDescribe":
        return scope.reply(ticket, "consumerGroupDescribe", describeConsumerGroup(scope, command));
      case "listGroups":
        return scope.reply(ticket, "listGroups", listGroups(scope, command));
      case "deleteGroup":
        return scope.reply(ticket, "deleteGroup", deleteGroup(scope, command));
      case "topicsDeleted":
        topicsDeleted(scope, command);
        return consumerDoor.topicsChanged(scope, namesOf(command.topics));
      case "topicsChanged":
        return consumerDoor.topicsChanged(scope, command.names);
      default:
        return this.fire(command);
    }
  }

  private fire(timer: GroupTimer): void {
    const { scope } = this;
    switch (timer.kind) {
      case "expireOffsets":
        return this.expiry.step(scope);
      case "consumerTimer":
        return consumerDoor.fire(scope, timer);
      case "initialDelayOver":
        return this.withClassic(timer.groupId, (group) =>
          initialDelayOver(scope, group, timer.delayMs, timer.remainingMs),
        );
      case "joinTimeout":
        return this.withClassic(timer.groupId, (group) => joinTimeout(scope, group));
      case "syncTimeout":
        return this.withClassic(timer.groupId, (group) =>
          syncTimeout(scope, group, timer.generationId),
        );
      case "sessionTimeout":
        return this.withClassic(timer.groupId, (group) =>
          sessionTimeout(scope, group, timer.memberId),
        );
      default:
        return unreachable(timer);
    }
  }

  /** A timer may fire behind the end of what it was set for: then there is nothing to do. */
  private withClassic(groupId: string, act: (group: ClassicGroup) => void): void {
    const group = this.scope.groups.get(groupId);
    if (group?.type === "classic") act(group);
  }

  checkInvariants(): void {
    this.scope.offsets.checkInvariants();
    for (const group of this.scope.groups.values()) {
      if (group.type === "classic") checkClassicGroup(group);
      else consumerDoor.checkInvariants(this.scope, group);
    }
  }
}

const namesOf = (topics: readonly { readonly name: string }[]): string[] =>
  topics.map((topic) => topic.name);
