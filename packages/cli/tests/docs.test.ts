import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { helpTree } from "../src/help.ts";
import { root } from "../src/tree.ts";

const path = join(import.meta.dir, "..", "..", "..", "docs", "cli.md");

interface Flag {
  readonly name: string;
  readonly short: string | null;
  readonly value: string | null;
  readonly about: string;
  readonly repeats: boolean;
  readonly choices: readonly string[] | null;
}

interface Command {
  readonly name: string;
  readonly usage: string;
  readonly about: string;
  readonly details?: string;
  readonly aliases: readonly string[];
  readonly arguments: readonly { readonly name: string; readonly about: string }[];
  readonly flags: readonly Flag[];
  readonly formats: readonly string[];
  readonly examples: readonly string[];
  readonly commands: readonly Command[];
}

const escape = (text: string): string => text.replaceAll("|", "\\|").replaceAll("\n", " ");

function flagTable(flags: readonly Flag[]): string {
  const rows = flags.map(({ name, short, value, about, repeats, choices }) => {
    const names = short === null ? `\`${name}\`` : `\`${short}\`, \`${name}\``;
    const list = choices === null ? "" : `: ${choices.map((choice) => `\`${choice}\``).join(", ")}`;
    return `| ${names} | ${value === null ? "" : `\`${value}\``} | ${escape(about)}${list}${repeats ? " (repeats)" : ""} |`;
  });
  return `| flag | value | what it does |\n| --- | --- | --- |\n${rows.join("\n")}\n`;
}

function section(command: Command): string {
  const leaves = command.commands.map(section).join("\n");
  if (command.commands.length > 0) return leaves;
  const parts = [`### ${command.name}\n`, `${command.about}.\n`, `\`${command.usage}\`\n`];
  if (command.details !== undefined) parts.push("```text", command.details, "```\n");
  if (command.arguments.length > 0) {
    parts.push(...command.arguments.map(({ name, about }) => `- \`${name}\`: ${about}`), "");
  }
  if (command.flags.length > 0) parts.push(flagTable(command.flags));
  if (command.aliases.length > 0) parts.push(`Also: ${command.aliases.join(", ")}.\n`);
  if (command.examples.length > 0) parts.push("```sh", ...command.examples, "```\n");
  return parts.join("\n");
}

function page(): string {
  const tree = helpTree(root) as {
    readonly flags: readonly Flag[];
    readonly exitCodes: Readonly<Record<string, string>>;
    readonly commands: readonly Command[];
  };
  const codes = Object.entries(tree.exitCodes).map(([code, about]) => `| ${code} | ${about} |`);
  return `# The command line

Written by \`MANTOU_UPDATE=1 bun test packages/cli/tests/docs.test.ts\` from \`mantou --help-json\`.
Every command but \`start\` works against any Kafka broker.

## Conventions

- Data goes to standard output, notes, progress and errors of a person to standard error.
- \`-o json\`, \`-o yaml\`: one object per command, also on an error:
  \`{"v":1,"command":"topic list","ok":true,"data":[...],"warnings":[]}\` or
  \`{"v":1,...,"ok":false,"error":{"code","message","hint"},"warnings":[]}\`. \`-o ndjson\`: one object per
  row without the envelope; an error is a line with \`"ok":false\`.
- Numbers in JSON are raw, times RFC 3339 in UTC; a record's \`timestamp\` is Kafka's own, in
  milliseconds since the epoch. Sizes and times are humanised on a terminal only.
- What destroys only shows what it would do, until \`--yes\`.
- A flag wins over the environment (\`MANTOU_BOOTSTRAP\`), that over the profile (\`--profile\`,
  \`MANTOU_PROFILE\`, \`.mantou.yaml\` of the project, \`profile use\`).

| exit status | meaning |
| --- | --- |
${codes.join("\n")}

## Flags of every command

${flagTable(tree.flags)}
## Commands

${tree.commands.map(section).join("\n").trimEnd()}
`;
}

describe("docs/cli.md", () => {
  test("is what --help-json says", () => {
    if (process.env["MANTOU_UPDATE"] === "1") writeFileSync(path, page());
    const now = readFileSync(path, "utf8");
    // Stale: run MANTOU_UPDATE=1 bun test packages/cli/tests/docs.test.ts
    expect(now).toBe(page());
  });
});
