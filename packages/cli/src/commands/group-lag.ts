import { table } from "../answer.ts";
import type { Run } from "../command.ts";
import { existingGroup, lagOf, type PartitionLag } from "../groups.ts";
import { lagColumns } from "../lag-columns.ts";

export const run: Run = async ({ values, connect }) => {
  const client = await connect();
  const names = [...new Set(values.positionals)];
  const groups = names.length > 0 ? names : (await client.groups.list()).map((one) => one.groupId);
  const rows: PartitionLag[] = [];
  for (const name of groups) rows.push(...(await lagOf(client, await existingGroup(client, name))));
  rows.sort((a, b) => (b.lag ?? -1) - (a.lag ?? -1));
  const columns =
    names.length === 1
      ? lagColumns
      : [{ title: "GROUP", of: (row: PartitionLag) => row.group }, ...lagColumns];
  return {
    data: rows,
    view: [table(rows, columns, { empty: "no committed offsets" })],
  };
};
