import { table } from "../answer.ts";
import type { Run } from "../command.ts";
import { existingGroup, lagOf, totalLag } from "../groups.ts";
import { lagColumns } from "../lag-columns.ts";
import { memberColumns, memberRows } from "../group-members.ts";
import { humaneCount, plural } from "../humane.ts";

export const run: Run = async ({ values, connect }) => {
  const client = await connect();
  const group = await existingGroup(client, values.positional(0));
  const lag = await lagOf(client, group);
  const members = memberRows(group);
  const total = totalLag(lag);
  const head = `${group.groupId}  ${group.type}, ${group.state}, ${plural(members.length, "member")}, lag ${humaneCount(total)}`;
  return {
    data: {
      group: group.groupId,
      type: group.type,
      protocol: group.protocolType,
      state: group.state,
      assignor: group.assignor,
      epoch: group.groupEpoch < 0 ? null : group.groupEpoch,
      lag: total,
      members,
      offsets: lag,
    },
    lines: lag,
    view: [
      head,
      table(members, memberColumns, { empty: "no members" }),
      "",
      table(lag, lagColumns, { empty: "no committed offsets" }),
    ],
  };
};
