import { readFileSync } from "node:fs";
import { IoError } from "@mantou/io";
import { lineLogger } from "./logger.ts";
import { runServer } from "./run-server.ts";
import { START_USAGE, parseStartOptions } from "./start-options.ts";

/** Exit status for what a person has to mend: flags, settings, address, directory. */
const EXIT_USAGE = 2;

function refuse(lines: readonly string[]): never {
  for (const line of lines) process.stderr.write(`mantou: ${line}\n`);
  process.exit(EXIT_USAGE);
}

const [command, ...argv] = process.argv.slice(2);
if (command !== "start") {
  refuse([`unknown command ${JSON.stringify(command ?? "")}; the one there is: start`]);
}
const options = parseStartOptions(argv, process.env, (path) => readFileSync(path, "utf8"));
if (!options.ok) refuse(options.error);
if (options.value.help) {
  process.stdout.write(START_USAGE);
  process.exit(0);
}

const logger = lineLogger();
try {
  await runServer(options.value.config, logger, { version: "0.1.0", commit: "source" });
  process.exit(0);
} catch (error) {
  if (error instanceof IoError) refuse([error.message]);
  logger.error("failed", { reason: error instanceof Error ? error.stack : String(error) });
  process.exit(1);
}
