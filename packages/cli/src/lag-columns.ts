import type { Column } from "./answer.ts";
import type { PartitionLag } from "./groups.ts";

export const lagColumns: readonly Column<PartitionLag>[] = [
  { title: "TOPIC", of: (row) => row.topic },
  { title: "PARTITION", of: (row) => row.partition, kind: "count" },
  { title: "COMMITTED", of: (row) => row.committed, kind: "count" },
  { title: "END", of: (row) => row.end, kind: "count" },
  { title: "LAG", of: (row) => row.lag, kind: "count" },
  { title: "MEMBER", of: (row) => row.member },
  { title: "METADATA", of: (row) => row.metadata, isWide: true },
];
