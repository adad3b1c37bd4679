import type { LogState } from "@mantou/io";
import { EventKind } from "@mantou/io";
import type { PlantedBug } from "./planted-bug.ts";
import { replace } from "./planted-bug.ts";

/** What the portable engine's store is made of, as far as it is broken here. */
interface StoreInside {
  readonly worker: {
    announce(log: unknown): void;
    reportOffset(kind: number, log: unknown): void;
    unflushed: Set<unknown>;
  };
}

/** What the planner of fetches is made of, as far as it is broken here. */
interface PlannerInside {
  judgeRow(task: { readonly incremental: boolean }, row: number): unknown;
}

export const storageBugs: readonly PlantedBug[] = [
  {
    name: "ack before fsync",
    seed: 10,
    seedsMax: 400,
    plant({ io }) {
      const { worker } = io.logs as unknown as StoreInside;
      replace(worker, "announce", (real) => (log) => {
        real(log);
        if (worker.unflushed.has(log)) worker.reportOffset(EventKind.DURABLE, log);
      });
    },
  },
  {
    name: "high watermark too high",
    seed: 1,
    seedsMax: 400,
    plant({ broker }) {
      const { partitions } = broker;
      const { planner } = broker["fetch"]["parts"];
      const tooHigh: typeof partitions = Object.create(partitions, {
        highWatermark: { value: partitions.logEndOffset.bind(partitions) },
      });
      Object.defineProperty(planner, "partitions", { value: tooHigh });
    },
  },
  {
    name: "dedup window lost on restart",
    seed: 1,
    seedsMax: 400,
    plant({ broker: { producers } }) {
      replace(producers, "replay", () => () => {});
      replace(producers, "restoreSnapshot", () => () => ({ ok: true, value: 0 }));
    },
  },
  {
    name: "leader epoch not raised on restart",
    seed: 1,
    seedsMax: 400,
    plant({ broker: { partitions } }) {
      replace(partitions, "leadership", (real) => (logId, leads, _epoch, membership, nowMs) => {
        real(logId, leads, 1, membership, nowMs);
      });
    },
  },
  {
    name: "deleted records come back after a crash",
    seed: 1,
    seedsMax: 400,
    plant({ io }) {
      replace(io.logs, "trim", () => async (logId, start) => {
        const state: LogState = {
          logId,
          startOffset: start,
          endOffset: start,
          largestTimestamp: -1,
          cutBytes: 0,
          corruptFromOffset: null,
        };
        return state;
      });
    },
  },
  {
    name: "a failed log keeps its producers' state",
    seed: 11,
    seedsMax: 400,
    plant({ broker: { producers } }) {
      let isLoaded = false;
      replace(producers, "forget", (real) => (logId) => {
        // What is read at the start is right; a log that is opened again keeps what was in memory.
        if (!isLoaded) real(logId);
      });
      replace(producers, "record", (real) => (...parameters) => {
        isLoaded = true;
        real(...parameters);
      });
    },
  },
  {
    name: "fetch session forgets a partition",
    seed: 6,
    seedsMax: 400,
    plant({ broker }) {
      const { planner } = broker["fetch"]["parts"];
      const inside = planner as unknown as PlannerInside;
      replace(inside, "judgeRow", (real) => (task, row) => {
        return task.incremental && row === 1 ? null : real(task, row);
      });
    },
  },
];
