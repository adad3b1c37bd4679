import type {
  CoordinatorRecord,
  CoordinatorShard,
  Moment,
  ReplayedBatch,
  TransactionMarker,
} from "@mantou/base";
import type { GroupCommand, GroupReply, GroupRequest } from "./commands.ts";
import { consumerDoor } from "./consumer/index.ts";
import type { GroupContext } from "./context.ts";
import type { GroupEffects } from "./scope.ts";
import { Scope } from "./scope.ts";

/** The groups whose records are in one partition of the internal topic. */
export class GroupShard implements CoordinatorShard<GroupCommand, GroupReply, GroupRequest> {
  private readonly scope: Scope;

  constructor(context: GroupContext) {
    this.scope = new Scope(context);
  }

  replay(_record: CoordinatorRecord, _batch: ReplayedBatch): void {}

  replayMarker(_marker: TransactionMarker): void {}

  loaded(now: Moment): GroupEffects {
    this.scope.now = now;
    return this.scope.take();
  }

  step(ticket: number | null, command: GroupCommand, now: Moment): GroupEffects {
    this.scope.now = now;
    if (command.kind === "consumerGroupHeartbeat") {
      consumerDoor.heartbeat(this.scope, ticket, command);
    }
    return this.scope.take();
  }

  checkInvariants(): void {}
}
