/**
 * Writes `docs/reference/apis.md` and `docs/reference/configs.md` from the code that serves them.
 * `--check` fails when a file is stale instead of writing it.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { servedApis } from "@mantou/broker";
import { brokerConfigs, topicConfigs } from "@mantou/catalog";

const folder = join(import.meta.dir, "..", "docs", "reference");

function apisPage(): string {
  const rows = [...servedApis]
    .sort((a, b) => a.api.key - b.api.key)
    .map(({ api, minAdvertised, maxVersion }) => {
      const flexible = Number.isFinite(api.flexibleFrom) ? `${api.flexibleFrom}+` : "none";
      const accepted = `${api.minVersion}-${maxVersion}`;
      return `| ${api.key} | ${api.name} | ${minAdvertised}-${maxVersion} | ${accepted} | ${flexible} |`;
    });
  return `# APIs

Written by \`bun scripts/generate-reference.ts\` from \`packages/broker/src/apis.ts\`.

| key | name | advertised | accepted | flexible |
| --: | --- | --- | --- | --- |
${rows.join("\n")}

Produce is advertised from 0 although 3 is the lowest version that is accepted: librdkafka before
2.11.1 turns compression off otherwise.
`;
}

interface Definition {
  readonly name: string;
  readonly fallback: string | null;
  readonly documentation: string;
  readonly dynamic: boolean;
}

function configRows(definitions: Iterable<Definition>): string {
  return [...definitions]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, fallback, documentation, dynamic }) => {
      const text = documentation.replaceAll("|", "\\|").replaceAll("\n", " ");
      return `| \`${name}\` | ${fallback === null ? "" : `\`${fallback}\``} | ${dynamic ? "yes" : "at start"} | ${text} |`;
    })
    .join("\n");
}

function configsPage(): string {
  return `# Settings

Written by \`bun scripts/generate-reference.ts\` from \`packages/catalog/src/configs/\`. A name that is
not here is refused, never ignored.

## Topics

| name | default | while running | what it does |
| --- | --- | --- | --- |
${configRows(topicConfigs.values())}

## Brokers

| name | default | while running | what it does |
| --- | --- | --- | --- |
${configRows(brokerConfigs.values())}
`;
}

const pages: readonly (readonly [string, string])[] = [
  ["apis.md", apisPage()],
  ["configs.md", configsPage()],
];
let stale = 0;
for (const [name, text] of pages) {
  const path = join(folder, name);
  if (!process.argv.includes("--check")) {
    writeFileSync(path, text);
    continue;
  }
  let now = "";
  try {
    now = readFileSync(path, "utf8");
  } catch {
    // Missing counts as stale.
  }
  if (now === text) continue;
  console.error(`docs/reference/${name} is stale: run bun scripts/generate-reference.ts`);
  stale += 1;
}
process.exit(stale === 0 ? 0 : 1);
