/** `bun run check`: all that must be green before a change lands, cheapest first. */
import { join } from "node:path";

const root = join(import.meta.dir, "..");
const bun = process.execPath;
const native = join(root, "native");

const steps: readonly (readonly [string, string[], string?])[] = [
  ["tidy", [bun, "scripts/tidy.ts"]],
  ["types", [bun, "check", "--no-script"]],
  ["format", [bun, "fmt", "--no-script", "--check", "packages", "scripts", "tests"]],
  ["lint", [bun, "run", "lint"]],
  ["layout", [bun, "scripts/generate-layout.ts", "--check"]],
  ["reference", [bun, "scripts/generate-reference.ts", "--check"]],
  ["rust format", ["cargo", "fmt", "--all", "--check"], native],
  [
    "rust lint",
    ["cargo", "clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"],
    native,
  ],
  ["tests", [bun, "scripts/test.ts"]],
];

for (const [name, command, cwd] of steps) {
  console.log(`\n## ${name}: ${command.slice(1).join(" ")}`);
  const { exitCode } = Bun.spawnSync(command, { cwd: cwd ?? root, stdio: ["ignore", 1, 2] });
  if (exitCode !== 0) {
    console.error(`check: ${name} failed`);
    process.exit(1);
  }
}
console.log("\ncheck: all green");
