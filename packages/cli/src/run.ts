import type { Client } from "@mantou/client";
import type { CommandSpec, Invocation } from "./command.ts";
import { type Environment, isClosedPipe } from "./environment.ts";
import { explain } from "./explain.ts";
import { Exit, Failure, usage } from "./failure.ts";
import { didYouMean } from "./nearest.ts";
import { FORMATS, Output } from "./output.ts";
import { type Parsed, parseCommandLine } from "./parse.ts";
import { selectProfile } from "./profiles.ts";
import { type ClientSettings, clientSettings } from "./settings.ts";
import { root } from "./tree.ts";

/** Runs one command line and gives the exit status. Nothing is thrown for a person's errors. */
export async function runCommandLine(
  argv: readonly string[],
  environment: Environment,
): Promise<number> {
  let parsed: Parsed;
  try {
    parsed = parseCommandLine(root, argv);
  } catch (error) {
    const output = new Output(environment, { command: "", format: formatGuess(argv) });
    return await failed(error, output, null);
  }
  const { path, values } = parsed;
  const command = path.map((spec) => spec.name).join(" ");
  const scope = path.at(-1) ?? root;
  try {
    if (values.has("help-json")) return await showTree(environment);
    if (values.has("version")) return await runVersion(environment, values.text("output"));
    const isGroup = scope.load === undefined;
    if (values.has("help") || (isGroup && argv.length === 0))
      return await showHelp(path, environment);
    if (isGroup) {
      const names = (scope.commands ?? []).map((child) => child.name).join(", ");
      throw usage(`mantou ${command} needs a command: ${names}`, `see mantou ${command} --help`);
    }
  } catch (error) {
    const output = new Output(environment, { command, format: values.text("output") ?? "table" });
    return await failed(error, output, null);
  }
  return await runCommand(scope, command, parsed, environment);
}

async function runCommand(
  scope: CommandSpec,
  command: string,
  { values, rest }: Parsed,
  environment: Environment,
): Promise<number> {
  const format = formatOf(scope, values.text("output"), environment);
  const output = new Output(environment, {
    command,
    format: format ?? "table",
    color: values.text("color"),
    isQuiet: values.has("quiet"),
  });
  let settings: ClientSettings | null = null;
  let client: Client | null = null;
  const invocation: Invocation = {
    command,
    values,
    output,
    environment,
    rest,
    settings: async () => {
      settings ??= clientSettings(
        values,
        environment.variables,
        selectProfile(values.text("profile"), environment),
      );
      return settings;
    },
    connect: async () => {
      if (client !== null) return client;
      const options = (await invocation.settings()).client;
      const { Client: Connector } = await import("@mantou/client");
      client = await Connector.connect(options);
      return client;
    },
  };
  try {
    if (format === null) throw unknownFormat(scope, values.text("output") ?? "");
    if (scope.load === undefined) throw new Failure("DEFECT", `${command} cannot be run`);
    const answer = await (await scope.load()).run(invocation);
    if (answer !== null) await output.answer(answer);
    return answer?.exitCode ?? Exit.OK;
  } catch (error) {
    return await failed(error, output, settings);
  } finally {
    (client as Client | null)?.abort();
  }
}

/** Says why it did not work, where anybody reads it; gives the exit status. */
async function failed(
  error: unknown,
  output: Output,
  settings: ClientSettings | null,
): Promise<number> {
  if (isClosedPipe(error)) return Exit.OK;
  const failure = explain(error, settings);
  try {
    await output.failure(failure);
  } catch (unread) {
    if (!isClosedPipe(unread)) throw unread;
  }
  return failure.exitCode;
}

/** The format that was asked for, else the one that fits where it goes; null: there is no such. */
function formatOf(
  scope: CommandSpec,
  given: string | null,
  environment: Environment,
): string | null {
  const formats = scope.formats ?? FORMATS;
  if (given !== null) return formats.includes(given) ? given : null;
  if (scope.formats === undefined) return "table";
  const pretty = formats.includes("pretty") && environment.stdout.isTerminal;
  return pretty ? "pretty" : (formats[0] ?? "table");
}

function unknownFormat(scope: CommandSpec, given: string): Failure {
  const formats = scope.formats ?? FORMATS;
  const hint = didYouMean(given, formats) ?? `one of ${formats.join(", ")}`;
  return usage(`-o ${JSON.stringify(given)} is no format here`, hint);
}

/** A wrong command line is answered in the format that it asks for, as far as can be told. */
function formatGuess(argv: readonly string[]): string {
  const text = argv.join(" ");
  const found = /(?:^| )(?:-o|--output)[ =]?(json|ndjson|yaml)(?: |$)/.exec(text);
  return found?.[1] ?? "table";
}

async function showHelp(path: readonly CommandSpec[], environment: Environment): Promise<number> {
  const { helpText } = await import("./help.ts");
  await environment.stdout.write(helpText(root, path));
  return Exit.OK;
}

async function showTree(environment: Environment): Promise<number> {
  const { helpTree } = await import("./help.ts");
  const envelope = { v: 1, command: "help", ok: true, data: helpTree(root), warnings: [] };
  await environment.stdout.write(`${JSON.stringify(envelope)}\n`);
  return Exit.OK;
}

async function runVersion(environment: Environment, format: string | null): Promise<number> {
  const { versionAnswer } = await import("./commands/version.ts");
  const output = new Output(environment, { command: "version", format: format ?? "table" });
  await output.answer(await versionAnswer());
  return Exit.OK;
}
