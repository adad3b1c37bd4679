import type { Client, GroupDescription } from "@mantou/client";
import { table } from "../answer.ts";
import type { Run } from "../command.ts";
import { existingGroup, hasOffsets, lagOf, type PartitionLag } from "../groups.ts";
import { lagColumns } from "../lag-columns.ts";

/** The groups of these names, which have to be there; all that have offsets where none is named. */
async function groupsOf(client: Client, names: readonly string[]): Promise<GroupDescription[]> {
  const groups: GroupDescription[] = [];
  if (names.length > 0) {
    for (const name of names) groups.push(await existingGroup(client, name));
    return groups;
  }
  for (const listed of (await client.groups.list()).filter(hasOffsets)) {
    try {
      groups.push(await client.groups.describe(listed.groupId));
    } catch (error) {
      // It ended in between.
      if ((error as { errorName?: string }).errorName !== "GROUP_ID_NOT_FOUND") throw error;
    }
  }
  return groups;
}

export const run: Run = async ({ values, connect }) => {
  const client = await connect();
  const names = [...new Set(values.positionals)];
  const rows: PartitionLag[] = [];
  for (const group of await groupsOf(client, names)) {
    for (const row of await lagOf(client, group)) rows.push(row);
  }
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
