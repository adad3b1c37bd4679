// Drives @platformatic/kafka: one JSON command on stdin, one JSON answer on stdout.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

// The client is installed in a cache folder, which is where this process was started.
const require = createRequire(`${process.cwd()}/`);
const { Admin, Producer } = await import(
  pathToFileURL(require.resolve("@platformatic/kafka")).href
);

const decode = (value) => (value === null ? undefined : Buffer.from(value, "base64"));
const command = JSON.parse(readFileSync(0, "utf8"));
const base = { clientId: "platformatic-driver", bootstrapBrokers: [command.bootstrap], retries: 2 };

async function produce() {
  const producer = new Producer({
    ...base,
    idempotent: command.idempotent,
    autocreateTopics: false,
  });
  try {
    const answer = await producer.send({
      acks: Number(command.acks === "all" ? -1 : command.acks),
      compression: command.codec,
      messages: command.records.map((record) => ({
        topic: command.topic,
        partition: record.partition,
        key: decode(record.key),
        value: decode(record.value),
        timestamp: BigInt(record.timestamp),
        headers: new Map(record.headers.map(([name, value]) => [Buffer.from(name), decode(value)])),
      })),
    });
    const next = new Map(
      (answer.offsets ?? []).map(({ partition, offset }) => [partition, Number(offset)]),
    );
    const offsets = command.records.map(({ partition }) => {
      const offset = next.get(partition);
      if (offset === undefined) return null;
      next.set(partition, offset + 1);
      return offset;
    });
    return { ok: true, offsets };
  } catch (error) {
    const inner = error.errors?.[0] ?? error.cause ?? error;
    return { ok: false, error: findApiId(error) ?? inner.message };
  } finally {
    await producer.close();
  }
}

/** The protocol's own error name, wherever the client has wrapped it. */
function findApiId(error) {
  if (error === null || typeof error !== "object") return undefined;
  if (typeof error.apiId === "string") return error.apiId;
  for (const inner of [...(error.errors ?? []), error.cause]) {
    const found = findApiId(inner);
    if (found !== undefined) return found;
  }
  return undefined;
}

async function admin() {
  const client = new Admin(base);
  try {
    const { topic } = command;
    await client.createTopics({
      topics: [topic],
      partitions: 2,
      replicas: 1,
      configs: [{ name: "retention.ms", value: "3600000" }],
    });
    const metadata = await client.metadata({ topics: [topic], forceUpdate: true });
    await client.deleteTopics({ topics: [topic] });
    return { ok: true, partitions: metadata.topics.get(topic).partitionsCount };
  } finally {
    await client.close();
  }
}

const operations = { produce, admin };
process.stdout.write(JSON.stringify(await operations[command.op]()));
process.exit(0);
