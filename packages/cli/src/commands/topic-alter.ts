import { table } from "../answer.ts";
import type { Run } from "../command.ts";
import { refusedConfig } from "../configs.ts";
import { usage } from "../failure.ts";
import { existingTopic } from "../topics.ts";

export const run: Run = async ({ values, connect }) => {
  const name = values.positional(0);
  const set = Object.fromEntries(values.pairs("config"));
  const unset = values.list("unset");
  const partitions = values.integer("partitions", 1, 1_000_000);
  const dryRun = values.has("dry-run");
  const keys = [...Object.keys(set), ...unset];
  if (keys.length === 0 && partitions === null) {
    throw usage("nothing to change", "give -c KEY=VALUE, --unset KEY or -p COUNT");
  }
  const client = await connect();
  const topic = await existingTopic(client, name);
  const resource = { type: "topic", name } as const;
  const before = new Map(
    (await client.admin.describeConfigs(resource)).map((entry) => [entry.name, entry.value]),
  );
  const rows: { what: string; from: string | number | null; to: string | number | null }[] = [];
  if (keys.length > 0) {
    try {
      await client.admin.alterConfigs(resource, { set, delete: unset }, dryRun);
    } catch (error) {
      throw await refusedConfig(client, resource, keys, error);
    }
    const after = dryRun ? null : await client.admin.describeConfigs(resource);
    for (const key of keys) {
      const now = after?.find((entry) => entry.name === key)?.value ?? set[key] ?? null;
      rows.push({ what: key, from: before.get(key) ?? null, to: now });
    }
  }
  if (partitions !== null) {
    await client.admin.createPartitions(name, partitions, { validateOnly: dryRun });
    rows.push({ what: "partitions", from: topic.partitions.length, to: partitions });
  }
  return {
    data: { topic: name, dryRun, changes: rows },
    lines: rows,
    view: [
      table(rows, [
        { title: dryRun ? "WOULD CHANGE" : "CHANGED", of: (row) => row.what },
        { title: "FROM", of: (row) => row.from },
        { title: "TO", of: (row) => row.to },
      ]),
    ],
  };
};
