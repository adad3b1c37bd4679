import { table } from "../answer.ts";
import type { Run } from "../command.ts";
import { Exit } from "../failure.ts";

export const run: Run = async ({ values, connect, output }) => {
  const partitions = values.integer("partitions", 1, 1_000_000);
  const replicationFactor = values.integer("replicas", 1, 32_767);
  const configs = Object.fromEntries(values.pairs("config"));
  const dryRun = values.has("dry-run");
  const client = await connect();
  const created = await client.admin.createTopics(
    values.positionals.map((name) => ({
      name,
      configs,
      ...(partitions === null ? {} : { partitions }),
      ...(replicationFactor === null ? {} : { replicationFactor }),
    })),
    { validateOnly: dryRun },
  );
  const rows = created.map(
    ({ name, topicId, partitions: count, replicationFactor: replicas, error }) => {
      const exists = error?.errorName === "TOPIC_ALREADY_EXISTS" && values.has("if-not-exists");
      const failed = error !== null && !exists;
      return {
        name,
        topicId: error === null && !dryRun ? topicId : null,
        partitions: count < 0 ? partitions : count,
        replicas: replicas < 0 ? replicationFactor : replicas,
        status: failed ? "failed" : exists ? "exists" : dryRun ? "would create" : "created",
        error: failed ? { code: error.errorName, message: error.message } : null,
      };
    },
  );
  const [only] = created;
  const failures = rows.filter((row) => row.error !== null);
  // One topic, one error: said like any other.
  if (created.length === 1 && failures.length === 1 && only?.error) throw only.error;
  for (const { error } of failures) await output.warn(error?.message ?? "");
  return {
    data: rows,
    view: [
      table(rows, [
        { title: "TOPIC", of: (row) => row.name },
        { title: "PARTITIONS", of: (row) => row.partitions, kind: "count" },
        { title: "REPLICAS", of: (row) => row.replicas, kind: "count" },
        { title: "STATUS", of: (row) => row.status },
        { title: "ID", of: (row) => row.topicId, isWide: true },
      ]),
    ],
    exitCode: failures.length > 0 ? Exit.FAILED : Exit.OK,
  };
};
