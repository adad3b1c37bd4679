import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Client, Connection } from "@mantou/client";
import { CompressionType } from "@mantou/protocol";
import { BrokerProcess, temporaryFolder } from "../processes/broker-process.ts";
import { installKcat } from "./installations.ts";
import { readBatches } from "./reading.ts";

/** kcat as people use it from a shell. Debian's is built on an old librdkafka (2.0.2). */
const kcat = await installKcat();

if ("skip" in kcat) test.skip(`kcat: ${kcat.skip}`, () => {});
else describe("kcat", () => kcatTests(kcat.command));

interface Message {
  readonly partition: number;
  readonly offset: number;
  readonly ts: number;
  readonly key: string | null;
  readonly payload: string | null;
  readonly headers?: readonly string[];
}

function kcatTests(command: string): void {
  const folder = temporaryFolder();
  let broker: BrokerProcess;
  let client: Client;
  let connection: Connection;

  beforeAll(async () => {
    broker = await BrokerProcess.start({ dataDirectory: folder.path });
    client = await Client.connect({ brokers: broker.address });
    connection = await Connection.open({ host: "127.0.0.1", port: broker.port });
  });

  afterAll(async () => {
    connection?.close();
    client?.abort();
    await broker?.stop();
    folder[Symbol.dispose]();
  });

  async function run(args: readonly string[], input: string | Uint8Array = "") {
    const child = Bun.spawn([command, "-b", broker.address, "-m", "20", ...args], {
      stdin: typeof input === "string" ? new TextEncoder().encode(input) : input,
      stdout: "pipe",
      stderr: "pipe",
      timeout: 60_000,
      killSignal: "SIGKILL",
    });
    const [stdout, stderr] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    return { code: await child.exited, stdout, stderr };
  }

  async function succeed(
    args: readonly string[],
    input: string | Uint8Array = "",
  ): Promise<string> {
    const { code, stdout, stderr } = await run(args, input);
    expect(code, `kcat ${args.join(" ")}: ${stderr}`).toBe(0);
    return stdout;
  }

  const produce = (topic: string, args: readonly string[], input: string | Uint8Array) =>
    succeed(["-P", "-t", topic, "-p", "0", ...args], input);

  async function consume(topic: string, args: readonly string[] = []): Promise<Message[]> {
    const from = args.includes("-o") ? [] : ["-o", "beginning"];
    const partition = ["-C", "-q", "-e", "-J", "-t", topic, "-p", "0", "-X", "check.crcs=true"];
    const output = await succeed([...partition, ...from, ...args]);
    return output
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as Message);
  }

  async function newTopic(): Promise<string> {
    const name = `t-${crypto.randomUUID()}`;
    await client.admin.createTopic({ name, partitions: 1 });
    return name;
  }

  const codecs = [
    ["none", CompressionType.NONE],
    ["gzip", CompressionType.GZIP],
    ["snappy", CompressionType.SNAPPY],
    ["lz4", CompressionType.LZ4],
    ["zstd", CompressionType.ZSTD],
  ] as const;

  for (const [codec, type] of codecs) {
    test(`-P -z ${codec}, read by -C and by us`, async () => {
      const topic = await newTopic();
      const lines = Array.from(
        { length: 500 },
        (_, index) => `k${index}:${"馒头 ".repeat(index % 9)}`,
      );
      lines[7] = ":no key";
      lines[8] = "tombstone:";
      const before = Date.now();
      const options = ["-K", ":", "-Z", "-H", "trace=abc", "-H", "empty=", "-X", "linger.ms=50"];
      const idempotent = ["-X", "enable.idempotence=true", "-X", "acks=all"];
      const sender = [...options, ...(codec === "gzip" ? [] : idempotent), "-z", codec];
      await produce(topic, sender, `${lines.join("\n")}\n`);

      const expected = lines.map((line, offset) => {
        const at = line.indexOf(":");
        const headers = ["trace", "abc", "empty", ""];
        return {
          offset,
          key: line.slice(0, at) || null,
          payload: line.slice(at + 1) || null,
          headers,
        };
      });
      const read = await consume(topic);
      const shown = read.map(({ offset, key, payload, headers }) => ({
        offset,
        key,
        payload,
        headers,
      }));
      expect(shown as unknown).toEqual(expected);

      const batches = await readBatches(connection, topic);
      // A client that thinks it may not compress sends plain batches without a word.
      expect([...new Set(batches.map((batch) => batch.codec))]).toEqual([type]);
      const stored = batches.flatMap((batch) => batch.records);
      const text = (bytes: Uint8Array | null) =>
        bytes === null ? null : new TextDecoder().decode(bytes);
      expect(stored.map(({ offset, key, value }) => [offset, text(key), text(value)])).toEqual(
        expected.map(({ offset, key, payload }) => [offset, key, payload]),
      );
      expect(stored.map(({ timestamp }) => timestamp)).toEqual(read.map(({ ts }) => ts));
      for (const { ts } of read) expect(ts >= before && ts <= Date.now()).toBe(true);
    });
  }

  test("the README's first commands: a topic made by producing to it", async () => {
    await succeed(["-P", "-t", "greetings"], "hello\n");
    const args = ["-C", "-t", "greetings", "-o", "beginning", "-e"];
    expect(await succeed(args)).toBe("hello\n");
  });

  test("-o with an offset, from the end, and by time; -c; -L; -Q", async () => {
    const topic = await newTopic();
    await produce(topic, ["-z", "lz4"], "a\nb\nc\n");
    const after = Date.now() + 1;
    while (Date.now() <= after) await Bun.sleep(1);
    await produce(topic, [], "d\ne\n");
    const values = async (args: string[]) =>
      (await consume(topic, args)).map(({ payload }) => payload);
    expect(await values(["-o", "3"])).toEqual(["d", "e"]);
    expect(await values(["-o", "-2"])).toEqual(["d", "e"]);
    expect(await values(["-o", `s@${after}`])).toEqual(["d", "e"]);
    expect(await values(["-c", "2"])).toEqual(["a", "b"]);
    expect(await values(["-o", "end"])).toEqual([]);
    const listed = await succeed(["-L", "-t", topic]);
    expect(listed).toContain(`broker 1 at ${broker.address}`);
    expect(listed).toContain(`topic "${topic}" with 1 partitions`);
    const found = await succeed(["-Q", "-t", `${topic}:0:${after}`]);
    expect(found).toContain(`${topic} [0] offset 3`);
  });

  test("an offset beyond the end is said to be out of range", async () => {
    const topic = await newTopic();
    await produce(topic, [], "a\n");
    const args = ["-C", "-e", "-t", topic, "-p", "0", "-o", "77", "-X"];
    const { stdout, stderr } = await run([...args, "topic.auto.offset.reset=error"]);
    expect(stdout).toBe("");
    expect(stderr).toMatch(/[Oo]ffset out of range/);
  });

  test("a message near the limit goes through, one over it is refused", async () => {
    const topic = await newTopic();
    const file = `${folder.path}/large`;
    const sender = ["-P", "-t", topic, "-p", "0", "-X", "message.max.bytes=5000000"];
    await Bun.write(file, Buffer.alloc(1_000_000, "ab"));
    await succeed([...sender, file]);
    await Bun.write(file, Buffer.alloc(1_200_000, "ab"));
    const { stderr } = await run([...sender, file]);
    expect(stderr).toMatch(/[Mm]essage size too large/);
    await succeed([...sender, "-z", "snappy", file]);
    const sizes = await consume(topic);
    expect(sizes.map(({ payload }) => payload?.length)).toEqual([1_000_000, 1_200_000]);
  });

  test("acks=0 and acks=1", async () => {
    const topic = await newTopic();
    await produce(topic, ["-X", "acks=0"], "zero\n");
    await produce(topic, ["-X", "acks=1"], "one\n");
    expect((await consume(topic)).map(({ payload }) => payload)).toEqual(["zero", "one"]);
  });
}
