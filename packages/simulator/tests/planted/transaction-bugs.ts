import { ErrorCode } from "@mantou/protocol";
import type { TransactionCommand } from "@mantou/transactions";
import type { Instance } from "../../src/index.ts";
import { answerEarly } from "./group-bugs.ts";
import type { PlantedBug } from "./planted-bug.ts";
import { replace } from "./planted-bug.ts";

const NOTHING = { writes: [], timers: [], requests: [], replies: [] };
/** Later than the producer begins its next transaction. */
const LATE_MS = 150;

/** The transactions of a shard, as far as they are looked at here. */
interface ShardInside {
  readonly transactions: ReadonlyMap<
    string,
    { readonly producerId: number; readonly producerEpoch: number }
  >;
}

/** Changes what the coordinator's shards are asked; null: they are not asked at all. */
function misheard(
  { broker }: Instance,
  change: (command: TransactionCommand, inside: ShardInside) => TransactionCommand | null,
): void {
  const { kind } = broker["coordination"].transactions.driver;
  replace(kind, "newShard", (real) => (partition, leaderEpoch) => {
    const shard = real(partition, leaderEpoch);
    replace(shard, "step", (step) => (ticket, command, now) => {
      const changed = change(command, shard as unknown as ShardInside);
      return changed === null ? NOTHING : step(ticket, changed, now);
    });
    return shard;
  });
}

export const transactionBugs: readonly PlantedBug[] = [
  {
    name: "last stable offset too high",
    seed: 1,
    seedsMax: 400,
    plant({ broker: { producers } }) {
      replace(producers, "lastStableOffset", () => (_logId, highWatermark) => highWatermark);
    },
  },
  {
    name: "aborted range not recorded",
    seed: 1,
    seedsMax: 400,
    plant({ broker: { producers } }) {
      replace(producers, "abortedIn", () => () => null);
    },
  },
  {
    name: "marker lost",
    seed: 3,
    seedsMax: 400,
    plant({ broker }) {
      let count = 0;
      replace(broker["coordination"].markers, "write", (real) => (...parameters) => {
        count += 1;
        if (count % 7 === 0) parameters[4](ErrorCode.NONE);
        else real(...parameters);
      });
    },
  },
  {
    name: "marker applied twice",
    seed: 4,
    seedsMax: 400,
    plant({ broker, process }) {
      replace(broker.producers, "judgeMarker", () => () => ({ kind: "accept" }));
      replace(broker["coordination"].markers, "write", (real) => (...parameters) => {
        real(...parameters);
        process.after(LATE_MS, () => {
          const [topic, partition, marker, version] = parameters;
          real(topic, partition, marker, version, () => {});
          broker["tick"].flushSoon();
        });
      });
    },
  },
  {
    name: "producer epoch not checked by the partition",
    seed: 25,
    seedsMax: 400,
    plant({ broker: { producers } }) {
      replace(producers, "isInTransaction", () => (logId, producerId) => {
        const entry = producers.list(logId).find((each) => each.producerId === producerId);
        return entry !== undefined && entry.currentTxnStartOffset >= 0;
      });
      replace(producers, "admit", (real) => (...parameters) => {
        const verdict = real(...parameters);
        const isOld =
          verdict.kind === "refuse" && verdict.errorCode === ErrorCode.INVALID_PRODUCER_EPOCH;
        return isOld ? { kind: "accept" } : verdict;
      });
    },
  },
  {
    name: "producer epoch not checked by the coordinator",
    seed: 12,
    seedsMax: 400,
    plant: (instance) =>
      misheard(instance, (command, { transactions }) => {
        if (!("producerEpoch" in command) || command.kind === "initProducerId") return command;
        if (command.kind === "markersWritten") return command;
        const known = transactions.get(command.transactionalId);
        if (known === undefined) return command;
        const { producerEpoch, producerId } = known;
        return { ...command, producerEpoch, producerId };
      }),
  },
  {
    name: "transaction timeout ignored",
    seed: 41,
    seedsMax: 400,
    plant: (instance) =>
      misheard(instance, (command) => (command.kind === "sweep" ? null : command)),
  },
  {
    name: "markers sent before the decision is durable",
    seed: 33,
    seedsMax: 400,
    plant: ({ broker }) => answerEarly(broker["coordination"].transactions.driver),
  },
  {
    name: "commit marker written where the transaction was aborted",
    seed: 3,
    seedsMax: 400,
    plant({ broker }) {
      let count = 0;
      replace(broker["coordination"].markers, "write", (real) => (...parameters) => {
        const [topic, partition, marker, version, settle] = parameters;
        count += 1;
        const isCommit = marker.isCommit || count % 5 === 0;
        real(topic, partition, { ...marker, isCommit }, version, settle);
      });
    },
  },
];
