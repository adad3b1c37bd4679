import { basename, dirname, join } from "node:path";
import { table } from "../answer.ts";
import type { Run } from "../command.ts";
import { Exit, usage } from "../failure.ts";
import { isoTime, plural } from "../humane.ts";
import {
  type InspectedBatch,
  type InspectedIndex,
  type InspectedTail,
  inspectLog,
  inspectOffsetIndex,
  inspectTimeIndex,
} from "../log-file.ts";
import { encodePart } from "../record-text.ts";

/** Batches that are listed; the check goes on behind them. */
const LISTED_MAX = 100_000;

interface Inspection {
  readonly base: string;
  readonly listed: readonly InspectedBatch[];
  readonly tail: InspectedTail;
  readonly batchCount: number;
  readonly recordCount: number;
  readonly baseOffset: number;
  readonly endOffset: number;
  readonly indexes: readonly InspectedIndex[];
  readonly faults: readonly string[];
}

export const run: Run = async ({ values }) => {
  const withRecords = values.has("records");
  const found = inspect(segmentBase(values.positional(0)), withRecords, values.has("faults"));
  const { base, listed, tail, batchCount, recordCount, baseOffset, endOffset, faults } = found;
  const writtenAheadBytes = tail.tail === null ? tail.fileBytes - tail.validBytes : 0;
  const ok = faults.length === 0;
  const ahead = writtenAheadBytes > 0 ? `, ${writtenAheadBytes} bytes written ahead` : "";
  const summary =
    `${base}.log: ${plural(batchCount, "batch", "batches")}, ${plural(recordCount, "record")}, ` +
    `offsets ${baseOffset} to ${endOffset}, ${tail.validBytes} bytes${ahead}`;
  const batches = listed.map((batch) => batchData(batch, withRecords));
  const { validBytes, fileBytes } = tail;
  return {
    data: {
      ...{ file: `${base}.log`, ok, faults, baseOffset, endOffset, batchCount, recordCount },
      ...{ validBytes, fileBytes, writtenAheadBytes, indexes: found.indexes, batches },
    },
    lines: batches,
    view: [
      ...(withRecords ? recordViews(listed) : [batchTable(listed)]),
      summary,
      ...found.indexes.map(indexLine),
      ...faults.map((text) => `FAULT ${text}`),
    ],
    exitCode: ok ? Exit.OK : Exit.UNHEALTHY,
  };
};

function indexLine({ file, entries, faults }: InspectedIndex): string {
  const state = faults.length === 0 ? "in order" : plural(faults.length, "fault");
  return `${file}: ${plural(entries, "entry", "entries")}, ${state}`;
}

function inspect(base: string, withRecords: boolean, onlyFaults: boolean): Inspection {
  const baseOffset = Number(basename(base));
  const places = new Map<number, { baseOffset: number; lastOffset: number }>();
  const listed: InspectedBatch[] = [];
  const faults: string[] = [];
  let [batchCount, recordCount, endOffset] = [0, 0, baseOffset];
  const walk = inspectLog(`${base}.log`, withRecords);
  for (;;) {
    const step = walk.next();
    if (step.done === true) {
      const tail = step.value;
      if (tail.tail !== null) faults.push(`behind byte ${tail.validBytes}: ${tail.tail}`);
      const indexes = [
        inspectOffsetIndex(`${base}.index`, baseOffset, places),
        inspectTimeIndex(`${base}.timeindex`, baseOffset, endOffset),
      ].filter((index) => index !== null);
      for (const { file, faults: texts } of indexes) {
        faults.push(...texts.map((text) => `${basename(file)}: ${text}`));
      }
      return {
        base,
        listed,
        tail,
        batchCount,
        recordCount,
        baseOffset,
        endOffset,
        indexes,
        faults,
      };
    }
    const batch = step.value;
    places.set(batch.position, { baseOffset: batch.baseOffset, lastOffset: batch.lastOffset });
    batchCount += 1;
    recordCount += batch.records;
    endOffset = Math.max(endOffset, batch.lastOffset + 1);
    faults.push(...batch.faults.map((text) => `batch at byte ${batch.position}: ${text}`));
    if (listed.length < LISTED_MAX && (!onlyFaults || batch.faults.length > 0)) listed.push(batch);
  }
}

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
