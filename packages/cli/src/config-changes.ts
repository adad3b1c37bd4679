import type { ConfigChanges } from "@mantou/client";
import { type Answer, table } from "./answer.ts";
import type { Invocation } from "./command.ts";
import { checkedResource, refusedConfig, shownConfigs } from "./configs.ts";

/** Changes settings of the resource that the first two words name, and shows before and after. */
export async function alter(
  { values, connect }: Invocation,
  changes: ConfigChanges,
): Promise<Answer> {
  const [kind = "", name = ""] = values.positionals;
  const dryRun = values.has("dry-run");
  const keys = [...Object.keys(changes.set ?? {}), ...(changes.delete ?? [])];
  const client = await connect();
  const resource = await checkedResource(client, kind, name);
  const before = shownConfigs(await client.admin.describeConfigs(resource));
  try {
    await client.admin.alterConfigs(resource, changes, dryRun);
  } catch (error) {
    throw await refusedConfig(client, resource, keys, error);
  }
  const after = dryRun ? [] : shownConfigs(await client.admin.describeConfigs(resource));
  const rows = keys.map((key) => ({
    key,
    before: before.find((config) => config.name === key)?.value ?? null,
    after: after.find((config) => config.name === key)?.value ?? changes.set?.[key] ?? null,
  }));
  return {
    data: { kind: resource.type, name, dryRun, changes: rows },
    lines: rows,
    warnings: dryRun ? ["checked only: nothing was changed"] : [],
    view: [
      table(rows, [
        { title: dryRun ? "WOULD CHANGE" : "CHANGED", of: (row) => row.key },
        { title: "FROM", of: (row) => row.before },
        { title: "TO", of: (row) => row.after },
      ]),
    ],
  };
}
