import { table } from "../answer.ts";
import type { Run } from "../command.ts";
import { Exit, usage } from "../failure.ts";
import { memberColumns, memberRows } from "../group-members.ts";
import { existingGroup } from "../groups.ts";

export const run: Run = async ({ values, connect, output }) => {
  const client = await connect();
  const group = await existingGroup(client, values.positional(0));
  const members = memberRows(group);
  const wanted = values.list("remove");
  if (wanted.length === 0) {
    return { data: members, view: [table(members, memberColumns, { empty: "no members" })] };
  }
  const chosen = wanted.includes("all")
    ? members
    : wanted.map((word) => {
        const found = members.find(({ member, instance }) => member === word || instance === word);
        if (found === undefined) throw usage(`${group.groupId} has no member ${word}`);
        return found;
      });
  const dryRun = !values.has("yes");
  const failed = dryRun
    ? []
    : await client.groups.removeMembers(
        group.groupId,
        chosen.map(({ member, instance }) => ({ memberId: member, instanceId: instance })),
      );
  for (const { error } of failed) await output.warn(error.message);
  return {
    data: { group: group.groupId, dryRun, removed: chosen, failed: failed.length },
    lines: chosen,
    warnings: dryRun ? ["nobody was removed: add --yes to do it"] : [],
    view: [table(chosen, memberColumns)],
    exitCode: failed.length > 0 ? Exit.FAILED : Exit.OK,
  };
};
