/**
 * Writes `docs/reference/apis.md`, `configs.md` and `metrics.md` from the code that serves them.
 * `--check` fails when a file is stale instead of writing it.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { metricCatalog, servedApis } from "@mantou/broker";
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

function metricsPage(): string {
  const rows = metricCatalog.map(({ name, type, unit, labels, help }) => {
    const names = labels.map((label) => `\`${label}\``).join(", ");
    return `| \`${name}\` | ${type} | ${unit} | ${names} | ${help.replaceAll("|", "\\|")} |`;
  });
  return `# Metrics

Written by \`bun scripts/generate-reference.ts\` from \`packages/broker/src/metrics/catalog/\`.

The admin listener tells them at \`/metrics\`, in the Prometheus text format. A histogram has
\`_bucket\` (with the label \`le\`), \`_sum\` and \`_count\`. What nothing is known about is left out: an
API that nobody has called, requests where \`mantou.metrics.enable\` is false. Offsets and watermarks
of partitions are not here, there are too many of them; \`mantou topic show\` tells them.

| name | type | unit | labels | what it tells |
| --- | --- | --- | --- | --- |
${rows.join("\n")}
`;
}

const pages: readonly (readonly [string, string])[] = [
  ["apis.md", apisPage()],
  ["configs.md", configsPage()],
  ["metrics.md", metricsPage()],
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
