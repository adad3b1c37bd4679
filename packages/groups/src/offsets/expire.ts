import type { CoordinatorRecord } from "@mantou/base";
import type { ClassicGroup } from "../classic/classic-group.ts";
import { forgetGroup } from "../group-admin.ts";
import { hasNoMembers, isSubscribed } from "../group-facts.ts";
import type { Group } from "../group.ts";
import { dropIfForgettable } from "../group-table.ts";
import { offsetTombstone } from "../records/offset-commit.ts";
import type { Scope } from "../scope.ts";
import { timerKey } from "../timer-key.ts";
import type { CommittedOffset } from "./offset-store.ts";

/** Groups looked at in one step, so that a shard of many does not hold up the others. */
const GROUPS_PER_STEP = 200;

/** Looks through all groups of the shard, some at a time. */
export class OffsetExpiry {
  private rest: Iterator<Group> | null = null;

  /** Sets the timer of the next round. */
  schedule(scope: Scope, afterMs: number = scope.settings.offsetsRetentionCheckIntervalMs): void {
    scope.setTimer(timerKey("expire", ""), afterMs, { kind: "expireOffsets" });
  }

  /** A map's iterator goes on where groups come and go: new ones are seen in this round. */
  step(scope: Scope): void {
    this.rest ??= scope.groups.values();
    for (let looked = 0; looked < GROUPS_PER_STEP; looked++) {
      const { value, done } = this.rest.next();
      if (done === true) {
        this.rest = null;
        this.schedule(scope);
        return;
      }
      expireGroup(scope, value);
    }
    this.schedule(scope, 0);
  }
}

/** When an offset's time begins to count; null: it does not. */
type ExpiryBase = (committed: CommittedOffset) => number;

function expireGroup(scope: Scope, group: Group): void {
  const { groupId } = group;
  const base = group.type === "classic" ? baseOf(group) : committedAt;
  if (base === null) return;
  const records: CoordinatorRecord[] = [];
  let isAllGone = true;
  scope.offsets.forEachOf(groupId, (topic, partition, committed) => {
    const stays =
      !isExpired(scope, committed, base) ||
      isSubscribed(group, topic) ||
      scope.offsets.hasPending(groupId, topic, partition);
    if (stays) {
      isAllGone = false;
      return;
    }
    scope.offsets.remove(groupId, topic, partition);
    scope.counts.expirations++;
    records.push(offsetTombstone(groupId, topic, partition));
  });
  if (isAllGone && hasNoMembers(group) && !scope.offsets.hasOpenTransaction(groupId)) {
    records.push(...forgetGroup(scope, group));
  }
  scope.writeApart(records);
  if (scope.groups.has(groupId)) dropIfForgettable(scope, group);
}

const committedAt: ExpiryBase = (committed) => committed.commitTimestampMs;

/**
 * An empty group keeps its offsets for the retention since it became empty, a stable one keeps
 * those of topics that it no longer reads since their commit. While a round is under way, and
 * where members of a foreign protocol may be reading anything, all stay.
 */
function baseOf(group: ClassicGroup): ExpiryBase | null {
  if (group.isSimple) return committedAt;
  if (group.state === "Empty") {
    return group.stateSinceMs < 0 ? committedAt : () => group.stateSinceMs;
  }
  return group.state === "Stable" && group.speaksConsumer && group.knowsTopics ? committedAt : null;
}

function isExpired(scope: Scope, committed: CommittedOffset, base: ExpiryBase): boolean {
  const { wallMs } = scope.now;
  if (committed.expireTimestampMs >= 0) return wallMs >= committed.expireTimestampMs;
  return wallMs - base(committed) >= scope.settings.offsetsRetentionMs;
}
