import type { CommandSpec, FlagSpec } from "./command.ts";
import { FORMATS } from "./output.ts";
import { GLOBAL_FLAGS } from "./parse.ts";
import { VERSION } from "./build-info.ts";

const WIDTH = 26;

const visible = (command: CommandSpec): CommandSpec[] =>
  (command.commands ?? []).filter((child) => child.isHidden !== true);

/** The help of a command, or of the whole tree where `path` is empty. */
export function helpText(root: CommandSpec, path: readonly CommandSpec[]): string {
  const command = path.at(-1) ?? root;
  const words = ["mantou", ...path.map((spec) => spec.name)].join(" ");
  const parts = [`${words} - ${command.about}\n`, `\nUsage: ${usageLine(words, command)}\n`];
  if (command.details !== undefined) parts.push(`\n${command.details.trim()}\n`);
  const children = visible(command);
  if (children.length > 0) {
    parts.push("\nCommands:\n", ...children.map((child) => row(child.name, childAbout(child))));
  }
  const positionals = command.positionals ?? [];
  if (positionals.length > 0) {
    parts.push("\nArguments:\n", ...positionals.map(({ name, about }) => row(name, about)));
  }
  const flags = command.flags ?? [];
  if (flags.length > 0) parts.push("\nFlags:\n", ...flags.map(flagRow));
  if (command.isRaw !== true) {
    parts.push(
      "\nEverywhere:\n",
      ...GLOBAL_FLAGS.map((flag) => flagRow(withFormats(flag, command))),
    );
  }
  const examples = command.examples ?? [];
  if (examples.length > 0) parts.push("\nExamples:\n", ...examples.map((text) => `  ${text}\n`));
  return parts.join("");
}

/** The whole tree as data, for tools and for the documentation. */
export function helpTree(root: CommandSpec): object {
  return {
    name: "mantou",
    version: VERSION,
    about: root.about,
    flags: GLOBAL_FLAGS.map(flagData),
    exitCodes: {
      "0": "done",
      "1": "the server refused, or only a part could be done",
      "2": "the command line is wrong",
      "10": "done, and what was looked at is not well",
    },
    commands: visible(root).map((child) => commandData(child, [])),
  };
}

function commandData(command: CommandSpec, parents: readonly string[]): object {
  const words = [...parents, command.name];
  return {
    name: words.join(" "),
    usage: usageLine(["mantou", ...words].join(" "), command),
    about: command.about,
    ...(command.details === undefined ? {} : { details: command.details.trim() }),
    aliases: command.aliases ?? [],
    arguments: (command.positionals ?? []).map(({ name, about, optional, repeats }) => ({
      name,
      about,
      required: optional !== true,
      repeats: repeats === true,
    })),
    flags: (command.flags ?? []).map(flagData),
    formats: command.load === undefined ? [] : (command.formats ?? FORMATS),
    examples: command.examples ?? [],
    commands: visible(command).map((child) => commandData(child, words)),
  };
}

const flagData = ({ name, short, aliases, value, about, repeats, choices }: FlagSpec): object => ({
  name: `--${name}`,
  short: short === undefined ? null : `-${short}`,
  aliases: (aliases ?? []).map((alias) => `--${alias}`),
  value: value ?? null,
  about,
  repeats: repeats === true,
  choices: choices ?? null,
});

function usageLine(words: string, command: CommandSpec): string {
  if (visible(command).length > 0) return `${words} COMMAND`;
  const positionals = (command.positionals ?? []).map(({ name, optional, repeats }) => {
    const text = repeats === true ? `${name}...` : name;
    return optional === true ? `[${text}]` : text;
  });
  return [words, ...positionals, "[flags]"].join(" ");
}

function childAbout(command: CommandSpec): string {
  const children = visible(command);
  if (children.length === 0) return command.about;
  return `${command.about}: ${children.map((child) => child.name).join(", ")}`;
}

const withFormats = (flag: FlagSpec, command: CommandSpec): FlagSpec =>
  flag.name === "output"
    ? { ...flag, about: `${flag.about}: ${(command.formats ?? FORMATS).join(", ")}` }
    : flag;

function flagRow({ name, short, value, about, repeats, choices }: FlagSpec): string {
  const head = `${short === undefined ? "    " : `-${short}, `}--${name}`;
  const list = choices === undefined ? "" : ` (${choices.join(", ")})`;
  const again = repeats === true ? "; may be repeated" : "";
  return row(value === undefined ? head : `${head} ${value}`, `${about}${list}${again}`);
}

function row(left: string, right: string): string {
  if (left.length < WIDTH) return `  ${left.padEnd(WIDTH)}  ${right}\n`;
  return `  ${left}\n  ${" ".repeat(WIDTH)}  ${right}\n`;
}
