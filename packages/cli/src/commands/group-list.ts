import type { Client, ListedGroup } from "@mantou/client";
import { table } from "../answer.ts";
import type { Run } from "../command.ts";
import { hasOffsets, lagOf, totalLag } from "../groups.ts";

interface Row {
  readonly group: string;
  readonly type: string | null;
  readonly protocol: string | null;
  readonly state: string | null;
  readonly members?: number;
  readonly topics?: number;
  readonly lag?: number;
}

export const run: Run = async ({ values, connect, output }) => {
  const client = await connect();
  const withLag = values.has("lag") || output.format === "wide";
  const listed = await client.groups.list();
  const rows: Row[] = [];
  for (const group of listed)
    rows.push({ ...plain(group), ...(withLag ? await lag(client, group) : {}) });
  if (withLag) rows.sort((a, b) => (b.lag ?? 0) - (a.lag ?? 0));
  return {
    data: rows,
    view: [
      table(
        rows,
        [
          { title: "GROUP", of: (row) => row.group },
          { title: "TYPE", of: (row) => row.type },
          { title: "PROTOCOL", of: (row) => row.protocol, isWide: true },
          { title: "STATE", of: (row) => row.state },
          ...(withLag
            ? [
                { title: "MEMBERS", of: (row: Row) => row.members ?? null, kind: "count" as const },
                { title: "TOPICS", of: (row: Row) => row.topics ?? null, kind: "count" as const },
                { title: "LAG", of: (row: Row) => row.lag ?? null, kind: "count" as const },
              ]
            : []),
        ],
        { empty: "no groups" },
      ),
    ],
  };
};

const plain = (group: ListedGroup): Row => ({
  group: group.groupId,
  type: group.type || null,
  protocol: group.protocolType || null,
  state: group.state || null,
});

async function lag(client: Client, listed: ListedGroup): Promise<Partial<Row>> {
  if (!hasOffsets(listed)) return {};
  const group = await client.groups.describe(listed.groupId);
  const rows = await lagOf(client, group);
  return {
    members: group.members.length,
    topics: new Set(rows.map((row) => row.topic)).size,
    lag: totalLag(rows),
  };
}
