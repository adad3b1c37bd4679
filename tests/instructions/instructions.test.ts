import { describe, expect, test } from "bun:test";
import { readFileSync, realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * What one call of a hot kernel costs in instructions, counted by valgrind: a guard that a busy
 * machine cannot disturb. `counts.json` holds what each is allowed; MANTOU_UPDATE=1 rewrites it,
 * which a change that makes a kernel dearer has to do in the open.
 */
const root = join(import.meta.dir, "..", "..");
const native = join(root, "native");
const recorded = join(import.meta.dir, "counts.json");
/** How often a kernel is counted at most. */
const COUNTS_MAX = 3;
const update = process.env["MANTOU_UPDATE"] === "1";

interface Kernel {
  readonly name: string;
  readonly command: readonly string[];
  readonly few: number;
  readonly many: number;
  /** How far above its record a count may be: without a JIT, hashes and collections vary a little. */
  readonly tolerance: number;
}

const rust = (name: string): Kernel => ({
  name,
  command: [join(native, "target", "release", "examples", "kernels"), name],
  few: 500,
  many: 1500,
  tolerance: 0.1,
});

const decode = (kind: string): Kernel => ({
  name: `decode ${kind}`,
  // Not the link that a package manager makes: valgrind wants the program itself.
  command: [realpathSync(process.execPath), join(import.meta.dir, "decode.ts"), kind],
  few: 100,
  many: 900,
  tolerance: 0.15,
});

const kernels = [
  rust("inspect"),
  rust("append"),
  rust("locate"),
  decode("produce"),
  decode("fetch"),
];

const missing = ["valgrind", "cargo"].find((tool) => Bun.which(tool) === null);

/** No compiler and no collector on threads of their own, as far as they can be turned off. */
const QUIET = { BUN_JSC_useJIT: "0", BUN_JSC_useConcurrentGC: "0", BUN_JSC_numberOfGCMarkers: "1" };

function collected(kernel: Kernel, times: number): number {
  const tool = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"];
  const child = Bun.spawnSync([...tool, ...kernel.command, String(times)], {
    env: { ...process.env, ...QUIET },
    stdout: "ignore",
    stderr: "pipe",
  });
  const words = child.stderr.toString();
  const found = /Collected : (\d+)/.exec(words);
  if (child.exitCode !== 0 || found === null) throw new Error(`${kernel.name}:\n${words}`);
  return Number(found[1]);
}

/** Counts again while a count is above `limit`: what other threads of the process do only adds. */
function perCall(kernel: Kernel, limit: number): number {
  let few = Infinity;
  let many = Infinity;
  let count = Infinity;
  for (let round = 0; round < COUNTS_MAX && count >= limit; round += 1) {
    few = Math.min(few, collected(kernel, kernel.few));
    many = Math.min(many, collected(kernel, kernel.many));
    count = Math.round((many - few) / (kernel.many - kernel.few));
  }
  return count;
}

describe("instructions per call", () => {
  const allowed = JSON.parse(readFileSync(recorded, "utf8")) as Record<string, number>;
  const counts: Record<string, number> = {};

  test.skipIf(missing !== undefined)(
    `the kernels are built${missing === undefined ? "" : ` (skipped: ${missing} is not installed)`}`,
    () => {
      const words = ["build", "--release", "--locked", "-p", "mantou-log-core"];
      const command = ["cargo", ...words, "--example", "kernels"];
      const child = Bun.spawnSync(command, { cwd: native, stdout: "ignore", stderr: "pipe" });
      expect(child.exitCode, child.stderr.toString()).toBe(0);
    },
    600_000,
  );

  for (const kernel of kernels) {
    test.skipIf(missing !== undefined)(
      `${kernel.name}${missing === undefined ? "" : ` (skipped: ${missing} is not installed)`}`,
      () => {
        const limit = (allowed[kernel.name] ?? 0) * (1 + kernel.tolerance);
        const count = perCall(kernel, limit);
        counts[kernel.name] = count;
        console.log(`${kernel.name}: ${count} instructions, recorded ${allowed[kernel.name]}`);
        if (update)
          writeFileSync(recorded, `${JSON.stringify({ ...allowed, ...counts }, null, 2)}\n`);
        else expect(count).toBeLessThan(limit);
      },
      300_000,
    );
  }
});
