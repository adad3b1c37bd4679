import { table } from "../answer.ts";
import type { Run } from "../command.ts";
import { isoTime } from "../humane.ts";
import { describeQuorum } from "../quorum.ts";

export const run: Run = async ({ connect }) => {
  const quorum = await describeQuorum(await connect());
  const { leaderId, leaderEpoch, highWatermark } = quorum;
  const replicas = [
    ...quorum.currentVoters.map((replica) => ({ ...replica, role: "voter" })),
    ...quorum.observers.map((replica) => ({ ...replica, role: "observer" })),
  ].map((replica) => ({
    node: replica.replicaId,
    role: replica.replicaId === leaderId ? "leader" : replica.role,
    logEndOffset: replica.logEndOffset,
    lag: replica.logEndOffset < 0 ? null : Math.max(0, highWatermark - replica.logEndOffset),
    lastFetchMs: replica.lastFetchTimestamp,
    caughtUpMs: replica.lastCaughtUpTimestamp,
    directoryId: replica.replicaDirectoryId,
  }));
  return {
    data: {
      leaderId,
      leaderEpoch,
      highWatermark,
      replicas: replicas.map(({ lastFetchMs, caughtUpMs, ...replica }) => ({
        ...replica,
        lastFetch: isoTime(lastFetchMs),
        caughtUp: isoTime(caughtUpMs),
      })),
    },
    view: [
      `leader ${leaderId}, epoch ${leaderEpoch}, high watermark ${highWatermark}`,
      table(replicas, [
        { title: "NODE", of: (row) => row.node, kind: "count" },
        { title: "ROLE", of: (row) => row.role },
        { title: "LOG END", of: (row) => row.logEndOffset, kind: "count" },
        { title: "LAG", of: (row) => row.lag, kind: "count" },
        { title: "LAST FETCH", of: (row) => row.lastFetchMs, kind: "time" },
        { title: "CAUGHT UP", of: (row) => row.caughtUpMs, kind: "time" },
        { title: "DIRECTORY", of: (row) => row.directoryId, isWide: true },
      ]),
    ],
  };
};
