import { processEnvironment } from "./environment.ts";
import { runCommandLine } from "./run.ts";

// No await at the top: the binary is compiled to bytecode, which has none. When the command is
// done the process is, whatever still holds a socket.
void runCommandLine(process.argv.slice(2), processEnvironment()).then((status) => {
  process.exit(status);
});
