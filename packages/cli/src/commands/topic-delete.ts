import type { TopicMetadata } from "@mantou/client";
import { table } from "../answer.ts";
import type { Run } from "../command.ts";
import { Exit } from "../failure.ts";
import { noTopic, partitionPlaces, recordsBetween } from "../topics.ts";

interface Row {
  readonly name: string;
  readonly partitions: number;
  readonly records: number | null;
  status: string;
  error: { readonly code: string; readonly message: string } | null;
}

export const run: Run = async ({ values, connect, output }) => {
  const names = [...new Set(values.positionals)];
  const client = await connect();
  const metadata = await client.admin.metadata(names);
  const found: TopicMetadata[] = [];
  for (const name of names) {
    const topic = metadata.topics.find((entry) => entry.name === name);
    if (topic !== undefined) found.push(topic);
    else if (!values.has("if-exists")) throw await noTopic(client, name, metadata.failed.get(name));
  }
  const dryRun = !values.has("yes");
  const rows: Row[] = [];
  for (const topic of found) {
    const places = dryRun ? await partitionPlaces(client, topic) : [];
    rows.push({
      name: topic.name,
      partitions: topic.partitions.length,
      records: dryRun ? places.reduce((sum, place) => sum + recordsBetween(place), 0) : null,
      status: dryRun ? "would delete" : "deleted",
      error: null,
    });
  }
  if (!dryRun && found.length > 0) {
    for (const { name, error } of await client.admin.deleteTopics(found.map((t) => t.name))) {
      const row = rows.find((entry) => entry.name === name);
      if (row === undefined || error === null) continue;
      row.status = "failed";
      row.error = { code: error.errorName, message: error.message };
      await output.warn(error.message);
    }
  }
  const warnings = dryRun && found.length > 0 ? ["nothing was deleted: add --yes to do it"] : [];
  return {
    data: { dryRun, topics: rows },
    lines: rows.map((row) => ({ ...row, dryRun })),
    warnings,
    view: [
      table(
        rows,
        [
          { title: "TOPIC", of: (row) => row.name },
          { title: "PARTITIONS", of: (row) => row.partitions, kind: "count" },
          ...(dryRun
            ? [{ title: "RECORDS", of: (row: Row) => row.records, kind: "count" as const }]
            : []),
          { title: "STATUS", of: (row) => row.status },
        ],
        { empty: "there is nothing to delete" },
      ),
    ],
    exitCode: rows.some((row) => row.error !== null) ? Exit.FAILED : Exit.OK,
  };
};
