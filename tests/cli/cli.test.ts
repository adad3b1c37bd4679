import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BrokerProcess, temporaryFolder } from "../processes/broker-process.ts";
import { runCli } from "./cli-process.ts";
import { dailyWork } from "./daily-work.ts";
import { groupWork } from "./group-work.ts";

/** A port that was free a moment ago. */
function freePort(): number {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = listener;
  listener.stop(true);
  return port;
}

describe("the command line and a broker of ours", () => {
  let folder: ReturnType<typeof temporaryFolder>;
  let broker: BrokerProcess;

  beforeAll(async () => {
    folder = temporaryFolder();
    broker = await BrokerProcess.start({ dataDirectory: join(folder.path, "data") });
  });

  afterAll(async () => {
    await broker?.kill();
    folder?.[Symbol.dispose]();
  });

  dailyWork(() => broker.address);
  groupWork(() => broker.address);

  test("log inspect reads the files of a log, and finds what is damaged", async () => {
    const cli = (...args: string[]) => runCli(broker.address, args);
    await cli("topic", "create", "files", "-p", "1");
    for (let run = 0; run < 3; run += 1) {
      await runCli(broker.address, ["produce", "files", "-z", "zstd"], { input: "one\ntwo\n" });
    }
    const source = join(folder.path, "data", "files-0");
    const copy = join(folder.path, "files-0");
    mkdirSync(copy);
    for (const name of readdirSync(source)) {
      if (/^\d{20}\./.test(name)) writeFileSync(join(copy, name), readFileSync(join(source, name)));
    }
    const file = join(copy, "00000000000000000000.log");
    const inspected = await cli("log", "inspect", file, "-r", "-o", "json");
    const { data, ok } = JSON.parse(inspected.stdout);
    expect(ok).toBe(true);
    expect([data.batchCount, data.recordCount, data.endOffset]).toEqual([3, 6, 6]);
    expect(data.batches[0]).toMatchObject({ baseOffset: 0, codec: "zstd", faults: [] });
    expect(data.batches[2].content[1]).toMatchObject({ offset: 5, value: "two" });
    const bytes = readFileSync(file);
    const at = data.batches[1].position + 30;
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    writeFileSync(file, bytes);
    const damaged = await cli("log", "inspect", file);
    expect(damaged.status).toBe(10);
    expect(damaged.stdout).toContain("CRC");
    expect((await cli("log", "inspect", join(copy, "nothing.log"))).status).toBe(2);
  });

  test("doctor names an advertised address that cannot be reached", async () => {
    using elsewhere = temporaryFolder();
    // Its log names the advertised address only, so the port has to be known before.
    const port = freePort();
    await using _hidden = await BrokerProcess.start({
      dataDirectory: join(elsewhere.path, "data"),
      port,
      flags: ["--set", "advertised.listeners=PLAINTEXT://127.0.0.1:1"],
    });
    const { status, stdout } = await runCli(`127.0.0.1:${port}`, ["doctor", "-o", "json"]);
    expect(status).toBe(10);
    const { data } = JSON.parse(stdout);
    const failed = data.checks.filter((check: { status: string }) => check.status === "fail");
    expect(failed.map((check: { check: string }) => check.check)).toEqual(["advertised"]);
    expect(failed[0].fix).toContain("advertised.listeners");
  });
});

describe("errors of a person", () => {
  test("a web server on that port", async () => {
    using server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: () => new Response("hello"),
    });
    const { status, stderr } = await runCli(`127.0.0.1:${server.port}`, ["topic", "list"]);
    expect(status).toBe(1);
    expect(stderr).toContain("web server");
  });

  test("start says what is wrong with flags, address and directory", async () => {
    const start = (...args: string[]) => runCli("", ["start", ...args]);
    const flag = await start("--set", "num.partition=3");
    expect([flag.status, flag.stderr]).toEqual([2, expect.stringContaining("num.partitions")]);
    using folder = temporaryFolder();
    await using broker = await BrokerProcess.start({ dataDirectory: join(folder.path, "data") });
    const taken = await start("--listen", broker.address, "--data-dir", join(folder.path, "other"));
    expect([taken.status, taken.stderr]).toEqual([2, expect.stringContaining("--listen")]);
    const file = join(folder.path, "file");
    writeFileSync(file, "");
    const directory = await start("--listen", "127.0.0.1:0", "--data-dir", join(file, "data"));
    expect(directory.status).toBe(2);
  });
});

describe("start", () => {
  test("runs a broker until SIGTERM, without the command line's own variables", async () => {
    using folder = temporaryFolder();
    const main = join(import.meta.dir, "..", "..", "packages", "cli", "src", "main.ts");
    const flags = ["--listen", "127.0.0.1:0", "--data-dir", join(folder.path, "data")];
    const child = Bun.spawn([process.execPath, main, "start", ...flags], {
      env: { PATH: process.env["PATH"] ?? "", MANTOU_PROFILE: "none", MANTOU_BOOTSTRAP: "x" },
      stdio: ["ignore", "ignore", "pipe"],
    });
    let log = "";
    const reader = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
    while (!/ started /.test(log)) {
      const { value, done } = await reader.read();
      if (done) throw new Error(`it ended:\n${log}`);
      log += value;
    }
    const address = /address=(\S+)/.exec(log)?.[1] ?? "";
    expect((await runCli(address, ["topic", "create", "t", "-p", "1"])).status).toBe(0);
    child.kill("SIGTERM");
    expect(await child.exited).toBe(0);
  });
});
