import { readFileSync } from "node:fs";
import { IoError } from "@mantou/io";
import { lineLogger, parseStartOptions, runServer, START_USAGE } from "@mantou/server";
import { COMMIT, VERSION } from "../build-info.ts";
import { settingsEnvironment } from "../broker-environment.ts";
import type { Run } from "../command.ts";
import { Failure, usage } from "../failure.ts";

/** Runs a broker until it is told to stop; the process ends in the signal's handler. */
export const run: Run = async ({ rest, environment, output }) => {
  const variables = settingsEnvironment(environment.variables);
  const options = parseStartOptions(rest, variables, (path) => readFileSync(path, "utf8"));
  if (!options.ok) throw usage(options.error.join("\n"));
  if (options.value.help) {
    await output.write(START_USAGE);
    return null;
  }
  const logger = lineLogger();
  const build = { version: VERSION, commit: COMMIT };
  await runServer(options.value.config, logger, build).catch((error: unknown) => {
    if (error instanceof IoError) throw refusal(error, options.value.config.logDir);
    throw error;
  });
  return null;
};

function refusal(error: IoError, directory: string): Failure {
  const text = error.message;
  let hint: string | null = null;
  if (String(error.code) === "NO_ADDON") {
    hint =
      "put mantou.node beside the binary, or set TMPDIR to a folder that programs may run from";
  } else if (/permission|EACCES|read-only|EROFS/i.test(text)) {
    hint = `this user cannot write there: choose another folder with --data-dir, or chown ${directory}`;
  } else if (/in use|EADDRINUSE/i.test(text)) {
    hint = text.startsWith("admin listener")
      ? null
      : "something listens there already: choose another address with --listen";
  } else if (/lock/i.test(text)) {
    hint = "another broker runs on this data directory";
  }
  return new Failure(String(error.code), text, { hint, exitCode: 2 });
}
