import { table } from "../answer.ts";
import type { Run } from "../command.ts";
import { describeNodes } from "../nodes.ts";

export const run: Run = async ({ connect }) => {
  const client = await connect();
  const { controllerId, nodes } = await describeNodes(client);
  const topics = await client.admin.listTopics();
  const partitions = topics.flatMap((topic) => topic.partitions);
  const rows = await Promise.all(
    nodes.map(async ({ id, host, port, rack }) => {
      const directories = await client.admin.describeLogDirs(id).catch(() => null);
      const logs = directories?.flatMap((d) => d.topics.flatMap((t) => t.partitions)) ?? [];
      return {
        id,
        address: `${host}:${port}`,
        host,
        port,
        rack,
        controller: id === controllerId,
        leaders: partitions.filter((p) => p.leaderId === id).length,
        replicas: partitions.filter((p) => p.replicas.includes(id)).length,
        bytes: directories === null ? null : logs.reduce((sum, l) => sum + l.partitionSize, 0),
        diskBytes: spaceOf(directories?.map((d) => d.totalBytes)),
        diskFreeBytes: spaceOf(directories?.map((d) => d.usableBytes)),
        status: directories === null ? "fail" : "ok",
      };
    }),
  );
  return {
    data: rows,
    view: [
      table(rows, [
        { title: "ID", of: (row) => row.id, kind: "count" },
        { title: "ADDRESS", of: (row) => row.address },
        { title: "RACK", of: (row) => row.rack },
        { title: "CONTROLLER", of: (row) => row.controller },
        { title: "LEADERS", of: (row) => row.leaders, kind: "count" },
        { title: "REPLICAS", of: (row) => row.replicas, kind: "count" },
        { title: "SIZE", of: (row) => row.bytes, kind: "bytes" },
        { title: "DISK", of: (row) => row.diskBytes, kind: "bytes", isWide: true },
        { title: "FREE", of: (row) => row.diskFreeBytes, kind: "bytes" },
        { title: "STATUS", of: (row) => row.status, kind: "status" },
      ]),
    ],
  };
};

/** The sum, where every directory tells. */
function spaceOf(bytes: readonly number[] | undefined): number | null {
  if (bytes === undefined || bytes.length === 0 || bytes.some((size) => size < 0)) return null;
  return bytes.reduce((sum, size) => sum + size, 0);
}
