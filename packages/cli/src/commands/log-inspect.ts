import { basename, dirname, join } from "node:path";
import { table } from "../answer.ts";
import type { Run } from "../command.ts";
import { Exit, usage } from "../failure.ts";
import { isoTime, plural } from "../humane.ts";
import {
  type InspectedBatch,
  type InspectedTail,
  inspectLog,
  inspectOffsetIndex,
  inspectTimeIndex,
} from "../log-file.ts";
import { encodePart } from "../record-text.ts";

/** Batches that are listed; the check goes on behind them. */
const LISTED_MAX = 100_000;

export const run: Run = async ({ values }) => {
  const base = segmentBase(values.positional(0));
  const path = `${base}.log`;
  const baseOffset = Number(basename(base));
  const withRecords = values.has("records");
  const onlyFaults = values.has("faults");
  const places = new Map<number, { baseOffset: number; lastOffset: number }>();
  const listed: InspectedBatch[] = [];
  let [batches, records, faulty, endOffset] = [0, 0, 0, baseOffset];
  const walk = inspectLog(path, withRecords);
  let tail: InspectedTail;
  for (;;) {
    const step = walk.next();
    if (step.done === true) {
      tail = step.value;
      break;
    }
    const batch = step.value;
    places.set(batch.position, batch);
    batches += 1;
    records += batch.records;
    faulty += batch.faults.length > 0 ? 1 : 0;
    endOffset = Math.max(endOffset, batch.lastOffset + 1);
    if (listed.length < LISTED_MAX && (!onlyFaults || batch.faults.length > 0)) listed.push(batch);
  }
  const indexes = [
    inspectOffsetIndex(`${base}.index`, baseOffset, places),
    inspectTimeIndex(`${base}.timeindex`, baseOffset, endOffset),
  ].filter((index) => index !== null);
  const faults = [
    ...listed.flatMap((batch) =>
      batch.faults.map((text) => `batch at byte ${batch.position}: ${text}`),
    ),
    ...(tail.tail === null ? [] : [`behind byte ${tail.validBytes}: ${tail.tail}`]),
    ...indexes.flatMap(({ file, faults: found }) =>
      found.map((text) => `${basename(file)}: ${text}`),
    ),
  ];
  const aheadBytes = tail.tail === null ? tail.fileBytes - tail.validBytes : 0;
  const ahead = aheadBytes > 0 ? `, ${aheadBytes} bytes written ahead` : "";
  const summary = `${path}: ${plural(batches, "batch", "batches")}, ${plural(records, "record")}, offsets ${baseOffset} to ${endOffset}, ${tail.validBytes} bytes${ahead}`;
  const isWell = faults.length === 0 && faulty === 0;
  return {
    data: {
      file: path,
      baseOffset,
      endOffset,
      batchCount: batches,
      recordCount: records,
      validBytes: tail.validBytes,
      fileBytes: tail.fileBytes,
      writtenAheadBytes: aheadBytes,
      ok: isWell,
      faults,
      indexes: indexes.map(({ file, entries, faults: found }) => ({
        file,
        entries,
        faults: found,
      })),
      batches: listed.map((batch) => batchData(batch, withRecords)),
    },
    lines: listed.map((batch) => batchData(batch, withRecords)),
    view: [
      ...(withRecords ? recordViews(listed) : [batchTable(listed)]),
      summary,
      ...indexes.map(
        (index) =>
          `${index.file}: ${plural(index.entries, "entry", "entries")}, ${index.faults.length === 0 ? "in order" : plural(index.faults.length, "fault")}`,
      ),
      ...faults.map((text) => `FAULT ${text}`),
    ],
    exitCode: isWell ? Exit.OK : Exit.UNHEALTHY,
  };
};

/** The path without its ending, whichever of a segment's files was named. Throws Failure. */
function segmentBase(path: string): string {
  const match = /^(\d{20})\.(log|index|timeindex)$/.exec(basename(path));
  if (match !== null) return join(dirname(path), match[1] ?? "");
  throw usage(
    `${path} is no segment file`,
    "its name has 20 digits: 00000000000000000000.log in <data directory>/<topic>-<partition>",
  );
}

function batchData(batch: InspectedBatch, withRecords: boolean) {
  const { content, maxTimestamp, ...rest } = batch;
  const records = content.map(({ offset, timestamp, key, value, headers }) => ({
    offset,
    timestamp,
    key: encodePart(key, "text").value,
    value: encodePart(value, "text").value,
    headers: headers.map((header) => ({
      key: header.key,
      value: encodePart(header.value, "text").value,
    })),
  }));
  return {
    ...rest,
    maxTimestamp,
    maxTime: isoTime(maxTimestamp),
    ...(withRecords ? { content: records } : {}),
  };
}

const batchTable = (batches: readonly InspectedBatch[]) =>
  table(batches, [
    { title: "POSITION", of: (row) => row.position, kind: "count" },
    { title: "BYTES", of: (row) => row.bytes, kind: "count" },
    { title: "FIRST", of: (row) => row.baseOffset, kind: "count" },
    { title: "LAST", of: (row) => row.lastOffset, kind: "count" },
    { title: "RECORDS", of: (row) => row.records, kind: "count" },
    { title: "CODEC", of: (row) => row.codec },
    { title: "EPOCH", of: (row) => row.leaderEpoch, kind: "count" },
    {
      title: "PRODUCER",
      of: (row) => (row.producerId < 0 ? null : row.producerId),
      kind: "count",
      isWide: true,
    },
    {
      title: "SEQUENCE",
      of: (row) => (row.baseSequence < 0 ? null : row.baseSequence),
      kind: "count",
      isWide: true,
    },
    { title: "TIME", of: (row) => row.maxTimestamp, kind: "time" },
    { title: "FLAGS", of: (row) => row.flags.join(",") },
    { title: "STATUS", of: (row) => (row.faults.length === 0 ? "ok" : "fail"), kind: "status" },
  ]);

const recordViews = (batches: readonly InspectedBatch[]) =>
  batches.flatMap((batch) => [
    batchTable([batch]),
    table(batch.content, [
      { title: "  OFFSET", of: (row) => `  ${row.offset}` },
      { title: "TIME", of: (row) => row.timestamp, kind: "time" },
      { title: "KEY", of: (row) => shown(row.key) },
      { title: "VALUE", of: (row) => shown(row.value) },
    ]),
    "",
  ]);

const shown = (bytes: Uint8Array | null): string | null => {
  const { value } = encodePart(bytes, "text");
  return value === null ? null : String(value).slice(0, 200);
};
