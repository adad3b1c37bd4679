import type { LogId } from "@mantou/base";
import type { GroupCommand } from "@mantou/groups";
import type { Instance } from "../../src/index.ts";
import type { PlantedBug } from "./planted-bug.ts";
import { replace } from "./planted-bug.ts";

const NOTHING = { writes: [], timers: [], requests: [], replies: [] };

type GroupDriver = Instance["broker"]["coordination"]["groups"]["driver"];
type GroupShard = ReturnType<GroupDriver["kind"]["newShard"]>;

/** The groups of a shard, as far as they are looked at here. */
interface ShardInside {
  readonly scope: {
    readonly groups: ReadonlyMap<
      string,
      {
        readonly type: string;
        readonly generationId: number;
        readonly members: ReadonlyMap<string, unknown>;
      }
    >;
  };
}

/** Breaks each shard as it is made. */
function inShards(
  { broker }: Instance,
  spoil: (shard: GroupShard, partition: number, logEnd: number) => void,
): void {
  const { driver } = broker["coordination"].groups;
  const { slots } = driver as unknown as { readonly slots: readonly { readonly logId: LogId }[] };
  replace(driver.kind, "newShard", (real) => (partition, leaderEpoch) => {
    const shard = real(partition, leaderEpoch);
    const logId = slots[partition]?.logId;
    spoil(shard, partition, logId === undefined ? 0 : broker.partitions.logEndOffset(logId));
    return shard;
  });
}

/** Changes what the shard is asked; null: it is not asked at all. */
const misheard = (
  instance: Instance,
  change: (command: GroupCommand, shard: GroupShard) => GroupCommand | null,
): void =>
  inShards(instance, (shard) => {
    replace(shard, "step", (real) => (ticket, command, now) => {
      const changed = change(command, shard);
      return changed === null ? NOTHING : real(ticket, changed, now);
    });
  });

export const groupBugs: readonly PlantedBug[] = [
  {
    name: "stale generation accepted",
    seed: 62,
    seedsMax: 400,
    plant: (instance) =>
      misheard(instance, (command, shard) => {
        if (command.kind !== "offsetCommit") return command;
        const { request } = command;
        const { groups } = (shard as unknown as ShardInside).scope;
        const group = groups.get(request.groupId);
        const [memberId] = group?.members.keys() ?? [];
        if (group?.type !== "classic" || memberId === undefined) return command;
        const now = { memberId, generationIdOrMemberEpoch: group.generationId };
        return { ...command, request: { ...request, ...now } };
      }),
  },
  {
    name: "session timeout ignored",
    seed: 4,
    seedsMax: 400,
    plant: (instance) =>
      misheard(instance, (command) => {
        const isSession =
          command.kind === "sessionTimeout" ||
          (command.kind === "consumerTimer" && command.timer === "session");
        return isSession ? null : command;
      }),
  },
  {
    name: "revoked partition given before it was given up",
    seed: 5,
    seedsMax: 400,
    plant: (instance) =>
      misheard(instance, (command) => {
        if (command.kind !== "consumerGroupHeartbeat") return command;
        const { request } = command;
        if (request.memberEpoch <= 0 || request.topicPartitions !== null) return command;
        return { ...command, request: { ...request, topicPartitions: [] } };
      }),
  },
  {
    name: "offset commit acknowledged before it is durable",
    seed: 27,
    seedsMax: 400,
    plant: ({ broker }) => answerEarly(broker["coordination"].groups.driver),
  },
  {
    name: "coordinator log replayed in part",
    seed: 1,
    seedsMax: 400,
    plant: (instance) =>
      inShards(instance, (shard, _partition, logEnd) => {
        replace(shard, "replay", (real) => (record, batch) => {
          if (batch.baseOffset < logEnd * 0.8) real(record, batch);
        });
      }),
  },
  {
    name: "one record of the coordinator's log skipped in replay",
    seed: 3,
    seedsMax: 400,
    plant: (instance) =>
      inShards(instance, (shard) => {
        let count = 0;
        replace(shard, "replay", (real) => (record, batch) => {
          count += 1;
          if (count % 9 !== 0) real(record, batch);
        });
      }),
  },
];

/** Nothing that a shard decides waits for its disk any more. */
export function answerEarly(driver: { lead(partition: number, logId: LogId): void }): void {
  const { slots } = driver as unknown as { readonly slots: readonly object[] };
  replace(driver, "lead", (real) => (partition, logId) => {
    real(partition, logId);
    const slot = slots[partition];
    if (slot === undefined) return;
    Object.defineProperty(slot, "durable", { get: () => Infinity, set: () => {} });
  });
}
