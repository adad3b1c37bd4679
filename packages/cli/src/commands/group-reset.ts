import { table } from "../answer.ts";
import type { Run } from "../command.ts";
import { Failure } from "../failure.ts";
import { planReset } from "../group-reset.ts";

export const run: Run = async ({ values, connect }) => {
  const groupId = values.positional(0);
  const client = await connect();
  const members = await memberCount();
  const changes = await planReset(client, groupId, values, Date.now());
  const dryRun = !values.has("yes");
  if (!dryRun) {
    if (members > 0) {
      throw new Failure("NON_EMPTY_GROUP", `group ${groupId} has ${members} members`, {
        hint: "stop its consumers first: their next commit would undo the reset",
      });
    }
    await client.groups.commit(
      groupId,
      changes.map(({ topic, partition, to }) => ({ topic, partition, offset: to })),
    );
  }
  const warnings = dryRun ? ["nothing was changed: add --yes to do it"] : [];
  if (dryRun && members > 0) warnings.push(`the group has ${members} members: stop them first`);
  return {
    data: { group: groupId, dryRun, changes },
    lines: changes,
    warnings,
    view: [
      table(changes, [
        { title: "TOPIC", of: (row) => row.topic },
        { title: "PARTITION", of: (row) => row.partition, kind: "count" },
        { title: "FROM", of: (row) => row.from, kind: "count" },
        { title: dryRun ? "WOULD BE" : "TO", of: (row) => row.to, kind: "count" },
        { title: "NOTE", of: (row) => row.note },
      ]),
    ],
  };

  /** A group that does not exist yet may be given offsets to start from. */
  async function memberCount(): Promise<number> {
    try {
      return (await client.groups.describe(groupId)).members.length;
    } catch (error) {
      if ((error as { errorName?: string }).errorName === "GROUP_ID_NOT_FOUND") return 0;
      throw error;
    }
  }
};
