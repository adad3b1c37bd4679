import { processEnvironment } from "./environment.ts";
import { runCommandLine } from "./run.ts";

const status = await runCommandLine(process.argv.slice(2), processEnvironment());
// A broker goes on by itself; everything else is done, whatever still holds a socket.
if (status >= 0) process.exit(status);
