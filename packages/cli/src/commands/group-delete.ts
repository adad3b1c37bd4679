import type { GroupDescription } from "@mantou/client";
import { table } from "../answer.ts";
import type { Run } from "../command.ts";
import { Exit, usage } from "../failure.ts";
import { existingGroup } from "../groups.ts";

interface Row {
  readonly group: string;
  readonly state: string;
  readonly members: number;
  readonly offsets: number;
  status: string;
  error: { readonly code: string; readonly message: string } | null;
}

export const run: Run = async ({ values, connect, output }) => {
  const client = await connect();
  const topics = values.list("topic");
  if (topics.length > 0 && values.positionals.length > 1) {
    throw usage("--topic goes with one group only");
  }
  const dryRun = !values.has("yes");
  const groups: GroupDescription[] = [];
  // All of them before the first is deleted, so that a typing error deletes none.
  for (const name of new Set(values.positionals)) groups.push(await existingGroup(client, name));
  const rows: Row[] = [];
  for (const group of groups) {
    const name = group.groupId;
    const offsets = (await client.groups.offsets(name)).filter(
      ({ topic }) => topics.length === 0 || topics.includes(topic),
    );
    const row = rowOf(group, offsets.length, dryRun);
    rows.push(row);
    if (dryRun) continue;
    try {
      if (topics.length === 0) await client.groups.delete(name);
      else {
        const [failed] = await client.groups.deleteOffsets(name, offsets);
        if (failed !== undefined) throw failed.error;
      }
    } catch (error) {
      const { errorName, message } = error as { errorName?: string; message: string };
      if (errorName === undefined) throw error;
      row.status = "failed";
      row.error = { code: errorName, message };
      await output.warn(message);
    }
  }
  return {
    data: { dryRun, groups: rows },
    lines: rows.map((row) => ({ ...row, dryRun })),
    warnings: dryRun ? ["nothing was deleted: add --yes to do it"] : [],
    view: [
      table(rows, [
        { title: "GROUP", of: (row) => row.group },
        { title: "STATE", of: (row) => row.state },
        { title: "MEMBERS", of: (row) => row.members, kind: "count" },
        { title: "OFFSETS", of: (row) => row.offsets, kind: "count" },
        { title: "STATUS", of: (row) => row.status },
      ]),
    ],
    exitCode: rows.some((row) => row.error !== null) ? Exit.FAILED : Exit.OK,
  };
};

const rowOf = (group: GroupDescription, offsets: number, dryRun: boolean): Row => ({
  group: group.groupId,
  state: group.state,
  members: group.members.length,
  offsets,
  status: dryRun ? "would delete" : "deleted",
  error: null,
});
