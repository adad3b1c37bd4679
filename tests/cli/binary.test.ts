import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { copyFileSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { requireFreeSpace, temporaryFolder } from "../processes/broker-process.ts";
import { runCli } from "./cli-process.ts";

const root = join(import.meta.dir, "..", "..");
const script = join(root, "scripts", "build-binary.ts");

describe("the binary", () => {
  let folder: ReturnType<typeof temporaryFolder>;
  let out = "";

  beforeAll(() => {
    requireFreeSpace();
    folder = temporaryFolder();
    out = join(folder.path, "dist");
    const build = [process.execPath, script, "--out", out, "--no-native"];
    const { exitCode, stderr } = Bun.spawnSync(build, { cwd: root, stderr: "pipe" });
    if (exitCode !== 0) throw new Error(stderr.toString());
  }, 120_000);

  afterAll(() => folder?.[Symbol.dispose]());

  /** Runs the binary with nothing but the given environment, from another folder. */
  async function run(
    args: string[],
    env: Record<string, string> = {},
    binary = join(out, "mantou"),
  ) {
    const child = Bun.spawn([binary, ...args], {
      cwd: "/",
      env,
      stdio: ["ignore", "pipe", "pipe"],
      timeout: 20_000,
    });
    const [stdout, stderr] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    return { status: await child.exited, stdout, stderr };
  }

  test("prints its versions with an empty environment, from another folder", async () => {
    const { status, stdout } = await run(["--version"]);
    expect(status).toBe(0);
    expect(stdout).toMatch(
      /^mantou \d+\.\d+\.\d+ \(commit ([0-9a-f]{12}\+?|unknown), bun 1\.\d+\.\d+, addon \d+\.\d+\.\d+, /,
    );
    expect(statSync(join(out, "mantou.node")).size).toBeGreaterThan(100_000);
  });

  /** Nothing can be written there, let alone run. */
  const nowhere = { TMPDIR: "/nonexistent", BUN_TMPDIR: "/nonexistent" };

  test("loads the side file where there is no temporary folder", async () => {
    const { stdout } = await run(["--version", "-o", "json"], nowhere);
    expect(JSON.parse(stdout).data.addon).toMatch(/^\d+\.\d+\.\d+$/);
  });

  test("loads the side file where the temporary folder is none, and so cannot be written", async () => {
    const file = join(out, "mantou.node");
    const { stdout } = await run(["--version", "-o", "json"], { TMPDIR: file, BUN_TMPDIR: file });
    expect(JSON.parse(stdout).data.addon).toMatch(/^\d+\.\d+\.\d+$/);
  });

  test("carries the addon in itself where there is one", async () => {
    const alone = join(folder.path, "alone");
    mkdirSync(alone);
    copyFileSync(join(out, "mantou"), join(alone, "mantou"));
    const binary = join(alone, "mantou");
    const { stdout } = await run(["--version", "-o", "json"], { TMPDIR: alone }, binary);
    expect(JSON.parse(stdout).data.addon).toMatch(/^\d+\.\d+\.\d+$/);
    const { status, stderr } = await run(["start", "--data-dir", alone], nowhere, binary);
    expect([status, stderr]).toEqual([2, expect.stringContaining("mantou.node")]);
  });

  test("runs a broker and works with it, every codec included, without a temporary folder", async () => {
    const data = join(folder.path, "data");
    const flags = ["--listen", "127.0.0.1:0", "--data-dir", data];
    const child = Bun.spawn([join(out, "mantou"), "start", ...flags], {
      cwd: "/",
      env: nowhere,
      stdio: ["ignore", "ignore", "pipe"],
    });
    try {
      let log = "";
      const reader = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
      while (!/ started /.test(log)) {
        const { value, done } = await reader.read();
        if (done) throw new Error(`it ended:\n${log}`);
        log += value;
      }
      const address = /address=(\S+)/.exec(log)?.[1] ?? "";
      const options = { command: [join(out, "mantou")], environment: nowhere, folder: "/" };
      const cli = (args: string[], input = "") => runCli(address, args, { ...options, input });
      expect((await cli(["topic", "create", "t", "-p", "1"])).status).toBe(0);
      for (const codec of ["none", "gzip", "snappy", "lz4", "zstd"]) {
        expect((await cli(["produce", "t", "-z", codec], `${codec}\n`)).status).toBe(0);
      }
      const { stdout } = await cli(["consume", "t", "--exit"]);
      expect(stdout).toBe("none\ngzip\nsnappy\nlz4\nzstd\n");
      child.kill("SIGTERM");
      expect(await child.exited).toBe(0);
    } finally {
      child.kill("SIGKILL");
    }
  });
});
