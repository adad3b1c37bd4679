import type { GroupDescription, TopicPartitions } from "@mantou/client";
import type { Column } from "./answer.ts";

export interface MemberRow {
  readonly member: string;
  readonly instance: string | null;
  readonly client: string;
  readonly host: string;
  /** null in classic groups. */
  readonly epoch: number | null;
  readonly partitions: number;
  readonly assignment: readonly TopicPartitions[];
}

/** The members of a group, those with the most partitions first. */
export const memberRows = (group: GroupDescription): MemberRow[] =>
  group.members
    .map((member) => ({
      member: member.memberId,
      instance: member.instanceId,
      client: member.clientId,
      host: member.clientHost,
      epoch: member.memberEpoch < 0 ? null : member.memberEpoch,
      partitions: member.assignment.reduce((sum, { partitions }) => sum + partitions.length, 0),
      assignment: member.assignment,
    }))
    .sort((a, b) => b.partitions - a.partitions || (a.member < b.member ? -1 : 1));

export const memberColumns: readonly Column<MemberRow>[] = [
  { title: "MEMBER", of: (row) => row.member },
  { title: "INSTANCE", of: (row) => row.instance },
  { title: "CLIENT", of: (row) => row.client },
  { title: "HOST", of: (row) => row.host },
  { title: "EPOCH", of: (row) => row.epoch, kind: "count", isWide: true },
  { title: "PARTITIONS", of: (row) => row.partitions, kind: "count" },
  {
    title: "ASSIGNED",
    of: (row) => row.assignment.map((one) => `${one.topic}:${one.partitions.join(",")}`).join(" "),
    isWide: true,
  },
];
