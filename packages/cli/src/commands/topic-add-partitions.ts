import type { Run } from "../command.ts";
import { usage } from "../failure.ts";
import { plural } from "../humane.ts";
import { existingTopic } from "../topics.ts";
import { integerOf } from "../values.ts";

export const run: Run = async ({ values, connect }) => {
  const name = values.positional(0);
  const word = values.positionals[1];
  const added = word === undefined ? values.integer("add", 1) : integerOf("COUNT", word, 1, 1e6);
  const total = values.integer("partitions", 1);
  if ((added === null) === (total === null)) {
    throw usage("say how many partitions to add (COUNT), or how many there shall be (-p)");
  }
  const client = await connect();
  const before = (await existingTopic(client, name)).partitions.length;
  const after = total ?? before + (added ?? 0);
  const dryRun = values.has("dry-run");
  await client.admin.createPartitions(name, after, { validateOnly: dryRun });
  const verb = dryRun ? "would have" : "has";
  return {
    data: { topic: name, before, partitions: after, dryRun },
    view: [`${name} ${verb} ${plural(after, "partition")} (before: ${before})`],
  };
};
