/**
 * Builds the native addon, `packages/io/native/mantou.node`, in release mode; does nothing where
 * its sources have not changed. Prints one line before and one after.
 *
 *   bun scripts/build-native.ts            builds where needed
 *   bun scripts/build-native.ts --force    builds always
 */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dir, "..");
const native = join(root, "native");
const target = join(native, "target");
const product = join(root, "packages", "io", "native", "mantou.node");
const stamp = join(target, "addon.hash");
const napi = join(root, "packages", "io", "node_modules", "@napi-rs", "cli", "dist", "cli.js");

const sourcePatterns = ["**/*.rs", "**/Cargo.toml", "Cargo.lock", "rust-toolchain.toml"];

function fail(what: string): never {
  console.error(`mantou: ${what}`);
  process.exit(1);
}

/** A hash over the names and contents of everything that the addon is made from. */
async function sourceHash(): Promise<string> {
  const files = new Set<string>();
  for (const pattern of sourcePatterns) {
    for await (const file of new Bun.Glob(pattern).scan({ cwd: native })) {
      if (!/^(target|fuzz)\//.test(file)) files.add(file);
    }
  }
  const hash = new Bun.CryptoHasher("sha256");
  hash.update(`${Bun.version} ${process.platform} ${process.arch}\n`);
  for (const file of [...files].sort()) {
    hash.update(`${file}\n`);
    hash.update(readFileSync(join(native, file)));
  }
  return hash.digest("hex");
}

/** Runs a command quietly; its output is shown where it fails. */
function run(what: string, command: string[]): void {
  const { exitCode, stdout, stderr } = Bun.spawnSync(command, {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
  });
  if (exitCode === 0) return;
  process.stderr.write(stdout);
  process.stderr.write(stderr);
  fail(`${what} failed (exit status ${exitCode}); see above`);
}

function build(): void {
  if (Bun.which("cargo") === null) {
    fail("cargo was not found; install Rust 1.95 or newer (rustup.rs), then run this again");
  }
  if (!existsSync(napi)) {
    run("installing packages", [process.execPath, "install", "--frozen-lockfile"]);
  }
  const output = join(target, `addon-${process.pid}`);
  run("building the native addon", [
    process.execPath,
    napi,
    "build",
    "--release",
    "--no-js",
    ...["--manifest-path", join(native, "addon", "Cargo.toml")],
    ...["--package-json-path", join(root, "packages", "io", "package.json")],
    ...["--target-dir", target],
    ...["--output-dir", output],
    ...["--", "--locked"],
  ]);
  // A process may have the old file mapped: the new one is written beside it and renamed.
  mkdirSync(join(product, ".."), { recursive: true });
  const fresh = `${product}.${process.pid}`;
  copyFileSync(join(output, "mantou.node"), fresh);
  renameSync(fresh, product);
  rmSync(output, { recursive: true, force: true });
}

const hash = await sourceHash();
const upToDate = existsSync(product) && existsSync(stamp) && readFileSync(stamp, "utf8") === hash;
if (!upToDate || process.argv.includes("--force")) {
  console.error("mantou: building the native addon (about a minute the first time)");
  const start = performance.now();
  build();
  writeFileSync(stamp, hash);
  const seconds = ((performance.now() - start) / 1000).toFixed(0);
  const megabytes = (statSync(product).size / 1e6).toFixed(1);
  console.error(`mantou: built packages/io/native/mantou.node (${megabytes} MB, ${seconds} s)`);
}
