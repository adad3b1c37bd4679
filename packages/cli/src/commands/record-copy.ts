import type { Client, ConsumedRecord, Message } from "@mantou/client";
import type { Run } from "../command.ts";
import { explain } from "../explain.ts";
import { usage } from "../failure.ts";
import { plural } from "../humane.ts";
import { progressBar } from "../progress.ts";
import { producerOptions, RecordSender } from "../record-sender.ts";
import { readLastAndFollow, readRange } from "../record-reader.ts";
import { followsLast, rangeSpec, type RangeSpec, rangesTotal } from "../record-range.ts";
import { existingTopic } from "../topics.ts";
import type { Values } from "../values.ts";
import { Where } from "../where.ts";

const PROGRESS_MS = 250;

export const run: Run = async (invocation) => {
  const { values, output, connect, settings } = invocation;
  const [from = "", to = ""] = values.positionals;
  const elsewhere = values.text("to-bootstrap");
  if (from === to && elsewhere === null) throw usage("a topic cannot be copied to itself");
  const formats = { key: "text", value: "text" } as const;
  const expression = values.text("where");
  const where = expression === null ? null : Where.compile(expression, formats);
  const { client: options, producer, consumer } = await settings();
  const source = await connect();
  const target = elsewhere === null ? source : await connectTo(options, elsewhere);
  const destination = await existingTopic(target, to);
  const sender = new RecordSender(target, producerOptions(values, { lingerMs: 5, ...producer }));
  const keepsPartition = values.has("keep-partitions");
  let left = values.integer("count", 0) ?? Infinity;
  let read = 0;
  let lastProgress = performance.now();
  let total: number | null = null;
  let thrown: unknown = null;
  try {
    const spec = copySpec(values, from);
    const runs = followsLast(spec)
      ? readLastAndFollow(source, spec, consumer)
      : readRange(source, spec, consumer, (ranges) => {
          total = rangesTotal(ranges);
        });
    for await (const records of runs) {
      for (const record of records) {
        read += 1;
        if (where !== null && !where.accepts(record)) continue;
        if (left <= 0) break;
        left -= 1;
        const partition = record.partition;
        if (keepsPartition && partition >= destination.partitions.length) {
          throw usage(
            `${to} has no partition ${partition}`,
            "give it as many partitions, or leave out --keep-partitions",
          );
        }
        await sender.send(messageOf(record, to, keepsPartition));
      }
      if (left <= 0) break;
      if (performance.now() - lastProgress < PROGRESS_MS) continue;
      lastProgress = performance.now();
      await output.progress(progressBar(read, total, `read, ${sender.delivered} copied`));
    }
  } catch (error) {
    thrown = error;
  }
  const counts = await sender.finish();
  if (target !== source) target.abort();
  if (sender.error !== null) throw sender.failure(explain(sender.error, await settings()));
  if (thrown !== null) throw thrown;
  const warning = where?.warning ?? null;
  return {
    data: {
      from,
      to,
      read,
      records: counts.records,
      bytes: counts.bytes,
      partitions: counts.places,
    },
    view: [`${plural(counts.records, "record")} copied from ${from} to ${to}`],
    warnings: warning === null ? [] : [warning],
  };
};

async function connectTo(options: object, brokers: string): Promise<Client> {
  const { Client: Connector } = await import("@mantou/client");
  return await Connector.connect({ ...options, brokers });
}

/** A copy begins with the oldest record and ends where the topic ends now, unless told otherwise. */
function copySpec(values: Values, topic: string): RangeSpec {
  const spec = rangeSpec(values, [topic], Date.now());
  const hasStart = ["from-beginning", "since", "last", "offset"].some((name) => values.has(name));
  const from = hasStart ? spec.from : ({ kind: "earliest" } as const);
  const end = values.has("follow") ? null : ({ kind: "latest" } as const);
  return { ...spec, from, to: spec.to ?? end };
}

const messageOf = (record: ConsumedRecord, topic: string, keepsPartition: boolean): Message => ({
  topic,
  key: record.key,
  value: record.value,
  headers: record.headers,
  ...(record.timestamp < 0 ? {} : { timestamp: record.timestamp }),
  ...(keepsPartition ? { partition: record.partition } : {}),
});
