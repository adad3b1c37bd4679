import { expect, test } from "bun:test";
import { ndjson, runCli, type RunOptions, startCli } from "./cli-process.ts";

/** What an operator does all day, against whichever broker `address` gives. */
export function dailyWork(address: () => string): void {
  const cli = (line: string, options: RunOptions = {}) =>
    runCli(address(), line.split(" "), options);
  const well = async (line: string, options: RunOptions = {}): Promise<string> => {
    const { status, stdout, stderr } = await cli(line, options);
    const printed = status === 0 ? "" : stdout;
    expect({ line, status, stderr, printed }).toMatchObject({ line, status: 0 });
    return stdout;
  };
  const data = async (line: string, options: RunOptions = {}) =>
    JSON.parse(await well(`${line} -o json`, options)).data;

  test("topics are created, listed, shown, altered and deleted", async () => {
    await well("topic create daily -p 3 -r 1 -c retention.ms=86400000");
    const again = await cli("topic create daily -o json");
    expect(again.status).toBe(1);
    expect(JSON.parse(again.stdout).error.code).toBe("TOPIC_ALREADY_EXISTS");
    await well("topic create daily --if-not-exists");
    const names = (await data("topic list")).map((row: { name: string }) => row.name);
    expect(names).toContain("daily");
    const shown = await data("topic show daily");
    expect(shown.partitions.length).toBe(3);
    expect(shown.configs["retention.ms"]).toBe("86400000");
    await well("topic alter daily -c max.message.bytes=200000 --unset retention.ms -p 4");
    await well("topic add-partitions daily 1");
    const after = await data("topic show daily");
    expect(after.partitions.length).toBe(5);
    expect(after.configs["max.message.bytes"]).toBe("200000");
    expect(after.configs["retention.ms"]).toBeUndefined();
    const wide = await well("topic list -o wide");
    expect(wide).toContain("RECORDS");
    const plan = await cli("topic delete daily");
    expect(plan.status).toBe(0);
    expect(plan.stderr).toContain("--yes");
    expect((await data("topic show daily")).name).toBe("daily");
    await well("topic delete daily --yes");
    expect((await cli("topic show daily")).status).toBe(1);
  });

  test("a misspelt topic is answered with the nearest name, at once", async () => {
    await well("topic create invoices -p 1 -r 1");
    for (const line of ["topic show invoces", "consume invoces -e", "topic delete invoces --yes"]) {
      const { status, stderr } = await cli(line);
      expect(status).toBe(1);
      expect(stderr).toContain("did you mean invoices?");
    }
    const produced = await cli("produce invoces", { input: "x\n" });
    expect(produced.status).toBe(1);
    expect(produced.stderr).toContain("did you mean invoices?");
  });

  test("lines go in with keys and headers, and come out in every form", async () => {
    await well("topic create lines -p 1 -r 1");
    const input = "a:10\nb:50\nc:60\n";
    await well("produce lines -K : -H lang=en", { input });
    expect(await well("consume lines --from-beginning --exit")).toBe("10\n50\n60\n");
    const where = ["consume", "lines", "--exit", "--where", "Number(r.value) > 40", "-o", "ndjson"];
    const chosen = await runCli(address(), where);
    const rows = ndjson(chosen.stdout);
    expect(rows.map((row) => [row["offset"], row["key"], row["value"]])).toEqual([
      [1, "b", "50"],
      [2, "c", "60"],
    ]);
    expect(Object.keys(rows[0] ?? {})).toEqual([
      "topic",
      "partition",
      "offset",
      "timestamp",
      "key",
      "value",
      "headers",
    ]);
    expect(rows[0]?.["headers"]).toEqual([{ key: "lang", value: "en" }]);
    expect(await well("consume lines --last 2 --exit -f %o=%k,")).toBe("1=b,2=c,");
    expect(await well("consume lines --offset 1 --count 1")).toBe("50\n");
    expect(await well("consume lines --offset -1 -e")).toBe("60\n");
    expect(await well("consume lines --offset 0:2 -e")).toBe("10\n50\n");
    expect(await well("consume lines --since 1h --exit")).toBe("10\n50\n60\n");
    expect(await well("consume lines --until 1h")).toBe("");
    expect(await well("consume lines --last 2 --until 1h")).toBe("");
    expect((await data("consume lines --last 2 --until 1h")).length).toBe(0);
    const endless = await cli("consume lines --offset @2020-01-01T08:00Z -o json");
    expect([endless.status, endless.stdout]).toEqual([2, expect.stringContaining("needs an end")]);
    expect((await data("consume lines -e")).length).toBe(3);
    const beyond = await cli("consume lines --offset 99 -e");
    expect([beyond.status, beyond.stderr]).toEqual([2, expect.stringContaining("offsets 0 to 3")]);
  });

  test("every codec and acks, and ndjson round trip of any bytes", async () => {
    await well("topic create source -p 2 -r 1");
    await well("topic create target -p 2 -r 1");
    for (const codec of ["none", "gzip", "snappy", "lz4", "zstd"]) {
      await well(`produce source -z ${codec} -k ${codec}`, { input: `value of ${codec}\n` });
    }
    await well("produce source --acks 1", { input: "one\n" });
    await well("produce source -i whole -p 1", { input: Uint8Array.of(0xff, 0, 10, 0xfe) });
    await well("produce source -i ndjson", {
      input: '{"key":"k","value":null,"headers":{"h":"v"},"timestamp":1700000000000}\n',
    });
    const first = await well("consume source -e -o ndjson");
    expect(ndjson(first).length).toBe(8);
    const sent = JSON.parse(await well("produce target -i ndjson -o json", { input: first }));
    expect(sent.data.records).toBe(8);
    const content = (text: string): string[] =>
      ndjson(text)
        .map(({ key, value, headers, timestamp, valueEncoding }) =>
          JSON.stringify({ key, value, headers, timestamp, valueEncoding }),
        )
        .sort();
    expect(content(await well("consume target -e -o ndjson"))).toEqual(content(first));
    await well("topic create copied -p 2 -r 1");
    const copied = await data("record copy source copied --keep-partitions");
    expect([copied.read, copied.records]).toEqual([8, 8]);
    expect(content(await well("consume copied -e -o ndjson"))).toEqual(content(first));
    expect((await data("record copy source copied --offset latest")).records).toBe(0);
    const told = ndjson(await well("produce target -o ndjson", { input: "one\ntwo\n" }));
    expect(told.map(({ topic }) => topic)).toEqual(["target", "target"]);
    expect((await cli("produce target -p 99", { input: "x\n" })).status).toBe(2);
  });

  test("consume follows what is new and ends with --count", async () => {
    await well("topic create follow -p 1 -r 1");
    await well("produce follow", { input: "old\n" });
    const reading = startCli(address(), ["consume", "follow", "--last", "1", "--count", "2"]);
    // It has to be reading before there is something new.
    await reading.waitFor("old\n");
    await well("produce follow", { input: "new\n" });
    expect(await reading.exited).toBe(0);
    expect(reading.stdout).toBe("old\nnew\n");
  }, 30_000);

  test("settings are shown, set, compared and put back", async () => {
    await well("topic create tuned -p 1 -r 1");
    await well("topic create stock -p 1 -r 1");
    await well("config set topic tuned retention.ms=1234567 segment.bytes=2097152");
    const shown = await data("config show topic tuned retention.ms");
    expect(shown).toMatchObject([{ name: "retention.ms", value: "1234567", source: "topic" }]);
    const names = async (line: string) =>
      (await data(line)).map((row: { name: string }) => row.name);
    const diff = await names("config diff topic tuned");
    expect(diff).toContain("retention.ms");
    expect(diff).toContain("segment.bytes");
    expect(await names("config diff topic tuned stock")).toEqual(["retention.ms", "segment.bytes"]);
    await well("config unset topic tuned retention.ms segment.bytes");
    expect(await names("config diff topic tuned stock")).toEqual([]);
    const wrong = await cli("config set topic tuned retention.mss=1");
    expect(wrong.status).toBe(1);
    expect(wrong.stderr).toContain("retention.ms");
    expect((await data("config show broker 1")).length).toBeGreaterThan(10);
    expect((await cli("config show broker one")).status).toBe(2);
  });

  test("cluster, nodes, quorum and doctor", async () => {
    const cluster = await data("cluster show --check");
    expect(cluster).toMatchObject({ brokers: [{ id: 1 }], leaderless: 0, status: "ok" });
    const [node] = await data("node list");
    expect(node).toMatchObject({ id: 1, address: address(), status: "ok" });
    const quorum = await data("quorum show");
    expect(quorum.replicas.length).toBe(1);
    expect(quorum.replicas[0].role).toBe("leader");
    const doctor = await data("doctor");
    expect(doctor.healthy).toBe(true);
    const checks = doctor.checks.map((check: { check: string }) => check.check);
    for (const check of ["connect", "versions", "advertised", "partitions", "clock"]) {
      expect(checks).toContain(check);
    }
  });

  test("bench reports both phases and leaves nothing behind", async () => {
    const bench = await data("bench --seconds 1 --size 100 -p 2");
    const phases = bench.phases.map((row: { phase: string; records: number }) => row.phase);
    expect(phases).toEqual(["produce", "consume"]);
    expect(bench.phases[0].records).toBeGreaterThan(100);
    expect(bench.phases[1].records).toBe(bench.phases[0].records);
    const names = (await data("topic list")).map((row: { name: string }) => row.name);
    expect(names.filter((name: string) => name.startsWith("mantou-bench"))).toEqual([]);
  });

  test("completion offers the topics that there are", async () => {
    await well("topic create complete-me -p 1 -r 1");
    expect(await well("__complete -- topic show comp")).toBe("complete-me\n");
  });
}
