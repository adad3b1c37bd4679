/**
 * `bun start [flags]`: installs and builds what is missing, then runs a broker in this process's
 * place. Imports nothing from the workspace: on a fresh clone nothing is installed yet.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dir, "..");

function run(what: string, command: string[]): void {
  const { exitCode } = Bun.spawnSync(command, { cwd: root, stdio: ["ignore", 2, 2] });
  if (exitCode === 0) return;
  console.error(`mantou: ${what} failed (exit status ${exitCode}); see above`);
  process.exit(1);
}

if (!existsSync(join(root, "node_modules"))) {
  console.error("mantou: installing packages (first start only)");
  run("installing packages", [process.execPath, "install", "--frozen-lockfile"]);
}
run("building the native addon", [process.execPath, join(root, "scripts", "build-native.ts")]);

const main = join(root, "packages", "server", "src", "main.ts");
const broker = Bun.spawn([process.execPath, main, "start", ...process.argv.slice(2)], {
  stdio: ["inherit", "inherit", "inherit"],
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => broker.kill(signal));
}
process.exit(await broker.exited);
