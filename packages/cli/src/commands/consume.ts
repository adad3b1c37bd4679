import type { ConsumedRecord, ConsumerOptions } from "@mantou/client";
import type { Invocation, Run } from "../command.ts";
import { usage } from "../failure.ts";
import { plural } from "../humane.ts";
import { type RecordFormats, recordToJson } from "../record-json.ts";
import { joined } from "../record-printf.ts";
import { recordPrinter } from "../record-printers.ts";
import { readLastAndFollow, readRange } from "../record-reader.ts";
import { followsLast, hasEnd, rangeSpec } from "../record-range.ts";
import type { RecordEncoding } from "../record-text.ts";
import type { Values } from "../values.ts";
import { Where } from "../where.ts";

/** Records that `-o json` and `-o yaml` may hold in memory. */
const RECORDS_HELD_MAX = 1_000_000;

export const formatsOf = (values: Values): RecordFormats => ({
  key: (values.text("key-format") ?? "text") as RecordEncoding,
  value: (values.text("value-format") ?? "text") as RecordEncoding,
});

/** The runs of records that the flags ask for, `--where` and `--count` applied. */
export async function* wantedRecords(
  invocation: Invocation,
  where: Where | null,
): AsyncGenerator<ConsumedRecord[]> {
  const { values, connect, settings } = invocation;
  const spec = rangeSpec(values, values.positionals, Date.now());
  const client = await connect();
  const committed: ConsumerOptions = values.has("committed") ? { isolation: "read_committed" } : {};
  const options = { ...(await settings()).consumer, ...committed };
  const runs = followsLast(spec)
    ? readLastAndFollow(client, spec, options)
    : readRange(client, spec, options);
  let left = values.integer("count", 0) ?? Infinity;
  if (left === 0) return;
  for await (const run of runs) {
    let records = where === null ? run : run.filter((record) => where.accepts(record));
    if (records.length > left) records = records.slice(0, left);
    left -= records.length;
    if (records.length > 0) yield records;
    if (left === 0) return;
  }
}

export const run: Run = async (invocation) => {
  const { values, output } = invocation;
  const formats = formatsOf(values);
  const expression = values.text("where");
  const where = expression === null ? null : Where.compile(expression, formats);
  const printf = values.text("format");
  if ((output.format === "json" || output.format === "yaml") && printf === null) {
    return await collected(invocation, where, formats);
  }
  const { format, hasColor } = output;
  const print = recordPrinter({ format, printf, formats, hasColor });
  let count = 0;
  for await (const records of wantedRecords(invocation, where)) {
    await output.write(joined(records.map(print)));
    count += records.length;
  }
  if (where?.warning) await output.note(`warning: ${where.warning}`);
  if (output.isTerminal) await output.note(plural(count, "record"));
  return null;
};

/** One envelope with all records: there has to be an end. */
async function collected(invocation: Invocation, where: Where | null, formats: RecordFormats) {
  const { values } = invocation;
  const spec = rangeSpec(values, values.positionals, Date.now());
  if (!hasEnd(spec) && !values.has("count")) {
    throw usage(
      `-o ${invocation.output.format} needs an end: --exit, --count or --until`,
      "-o ndjson prints records as they come",
    );
  }
  const data: object[] = [];
  for await (const records of wantedRecords(invocation, where)) {
    if (data.length + records.length > RECORDS_HELD_MAX) {
      throw usage(`more than ${RECORDS_HELD_MAX} records: use -o ndjson`);
    }
    for (const record of records) data.push(recordToJson(record, formats));
  }
  const warning = where?.warning ?? null;
  return { data, view: [], warnings: warning === null ? [] : [warning] };
}
