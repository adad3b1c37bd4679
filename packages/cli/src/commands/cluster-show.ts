import { table } from "../answer.ts";
import type { Run } from "../command.ts";
import { Exit } from "../failure.ts";
import { plural } from "../humane.ts";
import { describeNodes } from "../nodes.ts";
import { partitionHealth } from "../topics.ts";

export const run: Run = async ({ values, connect, output }) => {
  const client = await connect();
  const { clusterId, controllerId, nodes } = await describeNodes(client);
  const health = partitionHealth(await client.admin.listTopics());
  const isWell = health.leaderless === 0 && health.underReplicated === 0;
  const connection = await client.cluster.any();
  const { apiName } = await import("../api-names.ts");
  const apis = connection.versions.entries().map(([key, { min, max }]) => ({
    key,
    name: apiName(key),
    min,
    max,
  }));
  const status = health.leaderless > 0 ? "fail" : isWell ? "ok" : "warn";
  const rows: readonly (readonly [string, string | number])[] = [
    ["cluster", clusterId ?? "-"],
    ["controller", controllerId],
    ["brokers", nodes.length],
    ["topics", health.topics],
    ["partitions", health.partitions],
    ["without a leader", health.leaderless],
    ["under-replicated", health.underReplicated],
    ["status", status],
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  const lines = rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`);
  const apiTable = table(apis, [
    { title: "API", of: (row) => row.name },
    { title: "KEY", of: (row) => row.key, kind: "count" },
    { title: "FROM", of: (row) => row.min, kind: "count" },
    { title: "TO", of: (row) => row.max, kind: "count" },
  ]);
  const wide = output.format === "wide" ? ["", apiTable] : [];
  return {
    data: { clusterId, controllerId, brokers: nodes, ...health, status, apis },
    view: [...lines, ...wide],
    warnings: isWell
      ? []
      : [`${plural(health.leaderless + health.underReplicated, "partition")} not well`],
    exitCode: values.has("check") && !isWell ? Exit.UNHEALTHY : Exit.OK,
  };
};
