/**
 * `bun run tidy`: rules of the house that neither compiler nor linter knows. Layers of packages,
 * what a pure package may not touch, names, sizes (held by a ratchet), and what has no place in
 * the project at all. `--update` writes the ratchet anew; review that diff.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";

const root = join(import.meta.dir, "..");
const ratchetPath = join(root, "scripts", "tidy-ratchet.json");

/** Level of each package: imports go to a lower level only (ARCHITECTURE.md, "Rooms"). */
const LEVELS: Readonly<Record<string, number>> = {
  base: 0,
  protocol: 1,
  "raft-ts": 2,
  catalog: 2,
  replication: 2,
  groups: 2,
  transactions: 2,
  delay: 2,
  io: 3,
  broker: 4,
  client: 4,
  server: 5,
  cli: 6,
  simulator: 6,
  bench: 6,
};
/** Packages up to this level are pure: no clock, no randomness, no I/O, no promises. */
const PURE_LEVEL = 2;
const IMPURE =
  /\b(Date|performance|crypto|setTimeout|setInterval|setImmediate|queueMicrotask|fetch|process|Bun|Promise)\b(?!["':])|\bMath\.random\b|\basync\b|\bawait\b|from "(node|bun):/;

const LINES_AIM = 300;
const LINES_MAX = 600;
const COLUMNS_MAX = 100;
const NAMES_BANNED = /(^|\/)(utils?|commons?|helpers?)(\/|\.|$)/;
/** Words that would tie the project to one machine or one registry. */
const LEAKS = /(^|["'`\s(=])\/(root|home\/\w+)\/|https?:\/\/[^ "')]*(mirror|proxy)/;

const faults: string[] = [];
const fault = (file: string, line: number, text: string): void => {
  faults.push(`${file}${line > 0 ? `:${line}` : ""}: ${text}`);
};

const tracked = Bun.spawnSync(["git", "ls-files", "-co", "--exclude-standard"], { cwd: root })
  .stdout.toString()
  .split("\n")
  .filter((file) => file !== "");

const ratchet = JSON.parse(readFileSync(ratchetPath, "utf8")) as Record<string, number>;
const ratchetNow: Record<string, number> = {};

const isCode = (file: string): boolean => /\.(ts|tsx|rs)$/.test(file);
const isTest = (file: string): boolean =>
  /(^|\/)(tests|examples|fixtures)\/|^packages\/[^/]+\/bench\//.test(file);

for (const file of tracked) {
  if (NAMES_BANNED.test(file)) fault(file, 0, "no utils, common or helpers: name what it is");
  if (!isCode(file) && !/\.(md|json|toml|sh|lock)$/.test(file)) continue;
  let text: string;
  try {
    text = readFileSync(join(root, file), "utf8");
  } catch {
    continue; // Deleted in the working tree, still in the index.
  }
  const lines = text.split("\n");
  checkLeaks(file, lines);
  if (!isCode(file)) continue;
  checkSize(file, lines);
  checkText(file, lines);
  if (file.startsWith("packages/") && file.endsWith(".ts")) checkPackageFile(file, lines);
}

function checkLeaks(file: string, lines: readonly string[]): void {
  if (file === "scripts/tidy.ts") return;
  for (const [index, line] of lines.entries()) {
    if (LEAKS.test(line)) fault(file, index + 1, "names a machine's path or a registry's host");
  }
}

function checkSize(file: string, lines: readonly string[]): void {
  const count = lines.length - 1;
  if (isTest(file) || file.includes("/generated/") || count <= LINES_AIM) return;
  ratchetNow[file] = count;
  if (count > LINES_MAX) fault(file, 0, `${count} lines; the limit is ${LINES_MAX}`);
  const allowed = ratchet[file] ?? LINES_AIM;
  if (count > allowed) {
    fault(
      file,
      0,
      `grew to ${count} lines (ratchet ${allowed}); split it, or --update with a reason`,
    );
  }
}

function checkText(file: string, lines: readonly string[]): void {
  for (const [index, line] of lines.entries()) {
    const long = line.length > COLUMNS_MAX && !/https?:\/\/|^\s*(\/\/|\*|"|`|r#?")/.test(line);
    if (long && file.endsWith(".rs") && !isTest(file)) {
      fault(file, index + 1, `${line.length} columns; the limit is ${COLUMNS_MAX}`);
    }
    if (/\b(TODO|FIXME|XXX|unimplemented!|todo!)/.test(line) && file !== "scripts/tidy.ts") {
      fault(file, index + 1, "an unfinished mark: finish it, or say so in README's status table");
    }
  }
}

function checkPackageFile(file: string, lines: readonly string[]): void {
  const [, name = "", area] = file.split("/");
  const level = LEVELS[name];
  if (level === undefined) {
    fault(file, 0, `package ${name} has no level in scripts/tidy.ts`);
    return;
  }
  const home = `packages/${name}/`;
  let inComment = false;
  for (const [index, line] of lines.entries()) {
    const code = line.replace(/\/\/.*$/, "");
    if (/^\s*\/\*/.test(code)) inComment = true;
    const comment = inComment || /^\s*\*/.test(code);
    if (code.includes("*/")) inComment = false;
    if (comment) continue;
    checkImport(file, home, level, index + 1, code);
    if (
      area === "src" &&
      level <= PURE_LEVEL &&
      IMPURE.test(code.replace(/"[^"]*"|`[^`]*`/g, '""'))
    ) {
      fault(file, index + 1, "a pure package touches the clock, chance, I/O or a promise");
    }
    if (/^export default\b/.test(code)) fault(file, index + 1, "no default exports");
  }
}

function checkImport(file: string, home: string, level: number, line: number, code: string): void {
  const from = /(?:from|import)\s*\(?\s*"([^"]+)"/.exec(code)?.[1];
  if (from === undefined) return;
  if (from.startsWith(".")) {
    const target = normalize(join(dirname(file), from));
    if (!target.startsWith(home)) fault(file, line, `leaves its package: ${from}`);
    return;
  }
  const target = from === "raft-ts" ? "raft-ts" : /^@mantou\/([^/]+)$/.exec(from)?.[1];
  if (target === undefined) return;
  const isOwn = home === `packages/${target}/`;
  const targetLevel = LEVELS[target] ?? Infinity;
  const area = file.split("/")[2];
  // Tests of a level may use its neighbours, a portable engine under a driver's test, say.
  if (isOwn || targetLevel < level || (area !== "src" && targetLevel <= level)) return;
  fault(file, line, `imports ${from}: level ${level} may only import lower levels`);
}

if (process.argv.includes("--update")) {
  const sorted = Object.fromEntries(Object.entries(ratchetNow).sort());
  writeFileSync(ratchetPath, `${JSON.stringify(sorted, null, 2)}\n`);
  console.log(`tidy: ratchet written to ${relative(root, ratchetPath)}`);
} else if (faults.length > 0) {
  console.error(faults.join("\n"));
  console.error(`tidy: ${faults.length} faults`);
  process.exit(1);
} else {
  console.log(`tidy: ${tracked.length} files in order`);
}
