import { table } from "../answer.ts";
import type { Run } from "../command.ts";
import { changedConfigs, checkedResource, shownConfigs } from "../configs.ts";

export const run: Run = async ({ values, connect }) => {
  const [kind = "", name = "", other] = values.positionals;
  const client = await connect();
  const entries = await client.admin.describeConfigs(await checkedResource(client, kind, name));
  if (other === undefined) {
    const rows = changedConfigs(entries).filter((config) => config.value !== config.default);
    return {
      data: rows,
      view: [
        table(
          rows,
          [
            { title: "KEY", of: (row) => row.name },
            { title: "VALUE", of: (row) => (row.sensitive ? "(hidden)" : row.value) },
            { title: "DEFAULT", of: (row) => row.default },
            { title: "SOURCE", of: (row) => row.source },
          ],
          { empty: `all settings of ${kind} ${name} are the defaults` },
        ),
      ],
    };
  }
  const theirs = await client.admin.describeConfigs(await checkedResource(client, kind, other));
  const left = new Map(shownConfigs(entries).map((config) => [config.name, config.value]));
  const right = new Map(shownConfigs(theirs).map((config) => [config.name, config.value]));
  const names = [...new Set([...left.keys(), ...right.keys()])].sort();
  const rows = names
    .map((key) => ({ name: key, [name]: left.get(key) ?? null, [other]: right.get(key) ?? null }))
    .filter((row) => row[name] !== row[other]);
  return {
    data: rows,
    view: [
      table(
        rows,
        [
          { title: "KEY", of: (row) => row.name },
          { title: name, of: (row) => row[name] ?? null },
          { title: other, of: (row) => row[other] ?? null },
        ],
        { empty: `${name} and ${other} have the same settings` },
      ),
    ],
  };
};
