import { table } from "../answer.ts";
import type { Run } from "../command.ts";
import { checkedResource, configColumns, shownConfigs } from "../configs.ts";
import { Failure } from "../failure.ts";
import { didYouMean } from "../nearest.ts";

export const run: Run = async ({ values, connect }) => {
  const [kind = "", name = "", ...keys] = values.positionals;
  const client = await connect();
  const resource = await checkedResource(client, kind, name);
  const all = shownConfigs(await client.admin.describeConfigs(resource));
  const unknown = keys.find((key) => !all.some((config) => config.name === key));
  if (unknown !== undefined) {
    const hint = didYouMean(
      unknown,
      all.map((config) => config.name),
    );
    throw new Failure("UNKNOWN_CONFIG", `${kind} ${name} has no setting ${unknown}`, { hint });
  }
  const shown = keys.length === 0 ? all : all.filter((config) => keys.includes(config.name));
  return {
    data: shown,
    view: [table(shown, configColumns, { empty: `nothing is set for ${kind} ${name}` })],
  };
};
