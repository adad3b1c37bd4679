import { readFileSync } from "node:fs";
import type { Message } from "@mantou/client";
import { table } from "../answer.ts";
import type { Invocation, Run } from "../command.ts";
import { explain } from "../explain.ts";
import { usage } from "../failure.ts";
import { linesOf } from "../lines.ts";
import { momentOf } from "../moments.ts";
import { progressBar } from "../progress.ts";
import { producerOptions, RecordSender, type SendCounts } from "../record-sender.ts";
import { messageFromJson } from "../record-json.ts";
import { decodePart, looseText, type RecordEncoding } from "../record-text.ts";
import { existingTopic } from "../topics.ts";
import type { Values } from "../values.ts";

const PROGRESS_MS = 250;
/** Deliveries that may wait for whoever reads standard output. */
const DELIVERIES_MAX = 10_000;

export const run: Run = async (invocation) => {
  const { values, output, connect, settings } = invocation;
  const topic = values.positionals[0] ?? null;
  const input = inputOf(values);
  if (topic === null && input !== "ndjson") throw usage("produce needs TOPIC: where to");
  const client = await connect();
  const { producer, client: options } = await settings();
  // Asked first, so that a typing error is answered at once and with the nearest names.
  if (topic !== null && options.autoCreateTopics !== true) await existingTopic(client, topic);
  const deliveries: object[] = [];
  const keepsDeliveries = output.format === "ndjson";
  let telling = Promise.resolve();
  const tellDeliveries = async (): Promise<void> => {
    const lines = deliveries.splice(0).map((delivery) => `${JSON.stringify(delivery)}\n`);
    if (lines.length > 0) await output.write(lines.join(""));
  };
  const linger = invocation.environment.stdin.isTerminal ? {} : { lingerMs: 5 };
  const sender = new RecordSender(
    client,
    producerOptions(values, { ...linger, ...producer }),
    (delivery) => {
      if (!keepsDeliveries) return;
      deliveries.push(delivery);
      if (deliveries.length === 1) telling = telling.then(tellDeliveries);
    },
  );
  let thrown: unknown = null;
  let lastProgress = performance.now();
  const startedMs = lastProgress;
  try {
    for await (const message of messages(invocation, topic, input)) {
      await sender.send(message);
      if (deliveries.length >= DELIVERIES_MAX) await telling;
      const now = performance.now();
      if (now - lastProgress < PROGRESS_MS || now - startedMs < 1000) continue;
      lastProgress = now;
      await output.progress(progressBar(sender.delivered, null, "records sent"));
    }
  } catch (error) {
    thrown = error;
  }
  const counts = await sender.finish();
  await telling;
  if (sender.error !== null) throw sender.failure(explain(sender.error, await settings()));
  if (thrown !== null) throw thrown;
  return answerOf(invocation, counts);
};

async function answerOf(invocation: Invocation, counts: SendCounts) {
  const { output, environment } = invocation;
  const { records, bytes, places } = counts;
  // In a pipe nobody asked for a summary; on a terminal it is the proof that something happened.
  const isShown = output.isMachine || environment.stdout.isTerminal;
  return {
    data: { records, bytes, partitions: places },
    // Told already, one by one.
    lines: [],
    view: isShown
      ? [
          table(
            places,
            [
              { title: "TOPIC", of: (row) => row.topic },
              { title: "PARTITION", of: (row) => row.partition, kind: "count" },
              { title: "RECORDS", of: (row) => row.records, kind: "count" },
              {
                title: "LAST OFFSET",
                of: (row) => (row.lastOffset < 0 ? null : row.lastOffset),
                kind: "count",
              },
            ],
            { empty: "no records" },
          ),
        ]
      : [],
  };
}

type Input = "lines" | "ndjson" | "whole" | "files";

function inputOf(values: Values): Input {
  const input = values.text("input");
  if (values.has("file")) {
    if (input !== null) throw usage("--file and --input exclude each other");
    return "files";
  }
  return (input ?? "lines") as Input;
}

async function* messages(
  { values, environment }: Invocation,
  topic: string | null,
  input: Input,
): AsyncGenerator<Message> {
  const nowMs = Date.now();
  const template = templateOf(values, topic ?? "", nowMs);
  if (input === "files") {
    for (const path of values.list("file")) yield { ...template, value: readFileSync(path) };
    return;
  }
  const stream = environment.stdin.stream();
  if (input === "whole") {
    yield { ...template, value: new Uint8Array(await new Response(stream).arrayBuffer()) };
    return;
  }
  const toMessage =
    input === "ndjson"
      ? ndjsonReader(values, template, topic, nowMs)
      : lineReader(values, template);
  for await (const lines of linesOf(stream)) {
    for (const line of lines) {
      if (input === "ndjson" && line.length === 0) continue;
      yield toMessage(line);
    }
  }
}

function templateOf(values: Values, topic: string, nowMs: number): Message {
  const headers = values.pairs("header").map(([key, value]) => ({ key, value }));
  const partition = values.integer("partition", 0, 1_000_000);
  const timestamp = values.text("timestamp");
  const key = values.text("key");
  const keyFormat = (values.text("key-format") ?? "text") as RecordEncoding;
  return {
    topic,
    ...(headers.length === 0 ? {} : { headers }),
    ...(partition === null ? {} : { partition }),
    ...(timestamp === null ? {} : { timestamp: momentOf("--timestamp", timestamp, nowMs) }),
    ...(key === null ? {} : { key: decodePart(key, keyFormat, "--key") }),
  };
}

type LineReader = (line: Uint8Array) => Message;

const ndjsonReader =
  (values: Values, template: Message, topic: string | null, nowMs: number): LineReader =>
  (line) => {
    const message = messageFromJson(looseText(line), { topic, nowMs });
    const headers = [...(message.headers ?? []), ...(template.headers ?? [])];
    const key = values.has("key") ? { key: template.key ?? null } : {};
    const { partition, timestamp } = template;
    return {
      ...message,
      headers,
      ...key,
      ...(partition === undefined ? {} : { partition }),
      ...(timestamp === undefined ? {} : { timestamp }),
    };
  };

function lineReader(values: Values, template: Message): LineReader {
  const separator = values.text("key-separator");
  const bytes = separator === null ? null : Buffer.from(unescaped(separator));
  if (bytes?.length === 0) throw usage("-K needs a separator of at least one character");
  const keyFormat = (values.text("key-format") ?? "text") as RecordEncoding;
  const valueFormat = (values.text("value-format") ?? "text") as RecordEncoding;
  const tombstones = values.has("tombstones");
  const part = (piece: Uint8Array, form: RecordEncoding, what: string): Uint8Array | null =>
    form === "text" || form === "json" ? piece : decodePart(looseText(piece), form, what);
  return (line) => {
    const at =
      bytes === null ? -1 : Buffer.from(line.buffer, line.byteOffset, line.length).indexOf(bytes);
    const value = at < 0 ? line : line.subarray(at + (bytes?.length ?? 0));
    const isTombstone = tombstones && value.length === 0;
    return {
      ...template,
      value: isTombstone ? null : part(value, valueFormat, "the value"),
      ...(at < 0 ? {} : { key: part(line.subarray(0, at), keyFormat, "the key") }),
    };
  };
}

const unescaped = (text: string): string =>
  text.replaceAll("\\t", "\t").replaceAll("\\n", "\n").replaceAll("\\0", "\0");
