/**
 * Builds `dist/mantou`, broker and command line in one file with the addon embedded, and
 * `dist/mantou.node`, the same addon beside it: where temporary folders cannot be executed from,
 * the binary loads that one.
 *
 *   bun scripts/build-binary.ts [--out DIR]
 */
import { copyFileSync, mkdirSync, readFileSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dir, "..");

function fail(what: string): never {
  console.error(`mantou: ${what}`);
  process.exit(1);
}

function run(command: string[]): void {
  const { exitCode } = Bun.spawnSync(command, { cwd: root, stdio: ["ignore", 2, 2] });
  if (exitCode !== 0) fail(`${command.slice(1).join(" ")} failed (exit status ${exitCode})`);
}

/** The commit, with a mark where files differ from it. */
function commit(): string {
  const git = (...args: string[]): string | null => {
    const { exitCode, stdout } = Bun.spawnSync(["git", ...args], { cwd: root });
    return exitCode === 0 ? stdout.toString().trim() : null;
  };
  const head = git("rev-parse", "--short=12", "HEAD");
  if (head === null) return "unknown";
  const isClean = git("status", "--porcelain", "--untracked-files=no") === "";
  return isClean ? head : `${head}+`;
}

/**
 * Packages with a native part would be unpacked into a temporary folder before they are loaded,
 * and there may be none that is executable. In the binary, blocks are done in TypeScript.
 */
const blocks = join(root, "packages", "cli", "src", "blocks");
const withoutNativeCodecs: Bun.BunPlugin = {
  name: "codecs without native packages",
  setup(build) {
    build.onResolve({ filter: /^snappy$/ }, () => ({ path: join(blocks, "snappy-block.ts") }));
    build.onResolve({ filter: /^lz4-napi$/ }, () => ({ path: join(blocks, "lz4-block.ts") }));
  },
};

const outAt = process.argv.indexOf("--out");
const out = outAt < 0 ? join(root, "dist") : (process.argv[outAt + 1] ?? fail("--out needs DIR"));
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  version: string;
};

if (!process.argv.includes("--no-native")) {
  run([process.execPath, join(root, "scripts", "build-native.ts")]);
}
mkdirSync(out, { recursive: true });
const startedMs = performance.now();
const outfile = join(out, "mantou");
const fresh = `${outfile}.${process.pid}`;
const built = await Bun.build({
  entrypoints: [join(root, "packages", "cli", "src", "main.ts")],
  compile: { outfile: fresh, autoloadDotenv: false, autoloadBunfig: false },
  target: "bun",
  plugins: [withoutNativeCodecs],
  minify: { syntax: true, whitespace: true, identifiers: false },
  bytecode: true,
  define: {
    MANTOU_BUILD_COMMIT: JSON.stringify(commit()),
    MANTOU_BUILD_VERSION: JSON.stringify(version),
  },
  throw: false,
});
if (!built.success) {
  for (const log of built.logs) console.error(String(log));
  fail("the binary could not be built");
}
// A binary may be running: it keeps its file, the new one takes the name.
renameSync(fresh, outfile);
const sideFile = join(out, "mantou.node");
copyFileSync(join(root, "packages", "io", "native", "mantou.node"), `${sideFile}.${process.pid}`);
renameSync(`${sideFile}.${process.pid}`, sideFile);
const megabytes = (path: string): string => `${(statSync(path).size / 1e6).toFixed(1)} MB`;
const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
console.error(
  `mantou: built dist/mantou (${megabytes(outfile)}) and mantou.node (${megabytes(sideFile)}) in ${seconds} s`,
);
