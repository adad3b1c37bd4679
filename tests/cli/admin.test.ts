import { describe, expect, test } from "bun:test";
import { BrokerProcess, temporaryFolder } from "../processes/broker-process.ts";
import { runCli } from "./cli-process.ts";

const WAIT_MS = 60_000;

async function withAdmin(folder: string, flags: readonly string[] = []) {
  const broker = await BrokerProcess.start({
    dataDirectory: folder,
    flags: ["--admin-listen", "127.0.0.1:0", ...flags],
  });
  const url = /admin url=(\S+)/.exec(broker.log)?.[1];
  if (url === undefined) throw new Error(`no admin listener:\n${broker.log}`);
  return { broker, url };
}

/** The value of a sample, or null where there is none. */
function sample(text: string, name: string): number | null {
  const line = text.split("\n").find((each) => each.startsWith(`${name} `));
  return line === undefined ? null : Number(line.slice(name.length + 1));
}

describe("the admin listener", () => {
  test("tells health, readiness and what happened", async () => {
    using folder = temporaryFolder();
    const { broker, url } = await withAdmin(folder.path);
    await using _ = broker;
    const get = async (path: string, init?: RequestInit) => {
      const response = await fetch(`${url}${path}`, init);
      return [response.status, await response.text()] as const;
    };
    expect(await get("/healthz")).toEqual([200, "ok\n"]);
    expect(await get("/readyz")).toEqual([200, "ready\n"]);
    expect((await get("/readyz", { method: "HEAD" }))[0]).toBe(200);
    expect((await get("/metrics", { method: "POST" }))[0]).toBe(405);
    const [status, body] = await get("/nowhere");
    expect([status, body]).toEqual([404, expect.stringContaining("/metrics")]);

    const { address } = broker;
    expect((await runCli(address, ["topic", "create", "t", "-p", "3"])).status).toBe(0);
    expect((await runCli(address, ["produce", "t"], { input: "a\nb\nc\n" })).status).toBe(0);
    const read = await runCli(address, ["consume", "t", "--from-beginning", "--exit"]);
    expect(read.stdout.split("\n").sort().join("")).toBe("abc");
    const [, text] = await get("/metrics");
    expect(sample(text, 'mantou_requests_total{api="Produce"}')).toBeGreaterThan(0);
    const produced = sample(text, 'mantou_request_duration_seconds_count{api="Produce"}');
    expect(produced).toBe(sample(text, 'mantou_requests_total{api="Produce"}'));
    expect(sample(text, 'mantou_topic_records_total{topic="t"}')).toBe(3);
    expect(sample(text, "mantou_log_flush_duration_seconds_count")).toBeGreaterThan(0);
    expect(sample(text, "mantou_received_bytes_total")).toBeGreaterThan(0);
    expect(sample(text, "process_resident_memory_bytes")).toBeGreaterThan(1e6);
    expect(sample(text, "process_open_fds")).toBeGreaterThan(3);
    expect(text).toContain('mantou_build_info{version="');
    expect(await broker.stop()).toBe(0);
  });

  test("is asked by mantou health, which a container runs", async () => {
    using folder = temporaryFolder();
    const { broker, url } = await withAdmin(folder.path);
    await using _ = broker;
    const admin = new URL(url).host;
    const well = await runCli("", ["health", "--admin", admin, "-o", "json"]);
    expect([well.status, JSON.parse(well.stdout).data.healthy]).toEqual([0, true]);
    // A proxy has no say in it.
    const environment = { HTTP_PROXY: "http://127.0.0.1:1", http_proxy: "http://127.0.0.1:1" };
    const direct = await runCli("", ["health", "--admin", admin], { environment });
    expect([direct.status, direct.stderr]).toEqual([0, ""]);
    const inherited = await runCli("", ["health", "--alive"], {
      environment: { MANTOU_ADMIN_LISTEN: admin.replace("127.0.0.1", "0.0.0.0") },
    });
    expect([inherited.status, inherited.stdout]).toEqual([0, "ok\n"]);
    await broker.kill();
    const gone = await runCli("", ["health", "--admin", admin]);
    expect([gone.status, gone.stderr]).toEqual([1, expect.stringContaining("nobody answers")]);
    expect((await runCli("", ["health", "--admin", "9644"])).status).toBe(2);
  });

  test("an address that is taken, or none at all, is one clear line and exit 2", async () => {
    using folder = temporaryFolder();
    const { broker, url } = await withAdmin(folder.path);
    await using _ = broker;
    using other = temporaryFolder();
    for (const [address, words] of [
      [new URL(url).host, "in use"],
      ["203.0.113.7:9644", "does not have that address"],
      ["nowhere", "HOST:PORT"],
      ["127.0.0.1:70000", "65535"],
    ] as const) {
      const { exitCode, log } = await BrokerProcess.runToExit({
        dataDirectory: other.path,
        flags: ["--admin-listen", address],
      });
      const lines = log.split("\n").filter((line) => line.startsWith("mantou: "));
      expect([address, exitCode, lines.length]).toEqual([address, 2, 1]);
      expect(lines[0]).toContain(words);
    }
  });

  test("its usual address may be another broker's; none is none", async () => {
    using one = temporaryFolder();
    using two = temporaryFolder();
    const hasUsualAdmin = true;
    await using first = await BrokerProcess.start({ dataDirectory: one.path, hasUsualAdmin });
    await using second = await BrokerProcess.start({ dataDirectory: two.path, hasUsualAdmin });
    // At most one of them has it; a third broker on this machine may have been quicker than both.
    const have = [first, second].map(({ log }) => log.includes("admin url="));
    expect(have).not.toEqual([true, true]);
    for (const [index, { log }] of [first, second].entries()) {
      expect(log.includes("no_admin_listener")).toBe(!have[index]);
    }
    expect(await second.stop()).toBe(0);
    await using third = await BrokerProcess.start({
      dataDirectory: two.path,
      flags: ["--admin-listen", "none"],
    });
    expect(third.log).not.toContain("admin");
  });

  test("a wide address is said loudly", async () => {
    using folder = temporaryFolder();
    await using broker = await BrokerProcess.start({
      dataDirectory: folder.path,
      flags: ["--admin-listen", "0.0.0.0:0"],
    });
    await broker.waitForLog(/admin_listening_wide address=0\.0\.0\.0:0/, WAIT_MS);
  });
});
