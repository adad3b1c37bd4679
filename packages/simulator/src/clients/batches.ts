import { BatchView, controlType, ControlType, decodeBatches } from "@mantou/protocol";
import type { SeenBatch, SeenRecord, Where } from "../history.ts";

const utf8 = new TextDecoder();

/** Decodes what was fetched; every batch once, however often it is read. */
export class BatchReader {
  private readonly known = new Map<string, SeenBatch>();
  private readonly view = new BatchView();

  /** Throws RecordsError where the bytes are not whole, intact batches. */
  read(where: Where, bytes: Uint8Array): SeenBatch[] {
    const batches: SeenBatch[] = [];
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let at = 0;
    while (at < bytes.length) {
      const batch = this.view.at(view, at);
      const { sizeBytes, baseOffset, crc, partitionLeaderEpoch } = batch;
      const name = `${where}@${baseOffset}:${crc}:${partitionLeaderEpoch}`;
      let seen = this.known.get(name);
      if (seen === undefined) {
        seen = decode(bytes.subarray(at, at + sizeBytes));
        this.known.set(name, seen);
      }
      batches.push(seen);
      at += sizeBytes;
    }
    return batches;
  }
}

function decode(bytes: Uint8Array): SeenBatch {
  const [batch] = decodeBatches(bytes, { cutOff: "refuse" });
  if (batch === undefined) throw new Error("no batch");
  const { isControl, isTransactional, baseOffset, lastOffset, baseSequence } = batch;
  return {
    baseOffset,
    lastOffset,
    baseSequence,
    isTransactional,
    isControl,
    leaderEpoch: batch.partitionLeaderEpoch,
    producerId: batch.producerId,
    producerEpoch: batch.producerEpoch,
    checksum: batch.crc,
    marker: isControl ? markerOf(batch.records[0]?.key ?? null) : null,
    records: batch.records.map(({ offset, key, value }) => ({
      offset,
      key: isControl || key === null ? null : utf8.decode(key),
      value: isControl || value === null ? null : utf8.decode(value),
    })),
  };
}

function markerOf(key: Uint8Array | null): "commit" | "abort" | null {
  const type = controlType(key);
  if (type === ControlType.COMMIT) return "commit";
  return type === ControlType.ABORT ? "abort" : null;
}

interface Aborted {
  readonly producerId: number;
  readonly firstOffset: number;
}

/**
 * What an application gets of fetched batches at read_committed: as Kafka's consumers do it, from
 * the answer's list of aborted transactions and the markers between the records.
 */
export function withoutAborted(
  batches: readonly SeenBatch[],
  aborted: readonly Aborted[],
  from: number,
): SeenRecord[] {
  const ahead = [...aborted].sort((a, b) => a.firstOffset - b.firstOffset);
  const abortedNow = new Set<number>();
  const delivered: SeenRecord[] = [];
  for (const batch of batches) {
    while (ahead.length > 0 && (ahead[0] as Aborted).firstOffset <= batch.lastOffset) {
      abortedNow.add((ahead.shift() as Aborted).producerId);
    }
    if (batch.isControl) {
      if (batch.marker === "abort") abortedNow.delete(batch.producerId);
      continue;
    }
    if (batch.isTransactional && abortedNow.has(batch.producerId)) continue;
    for (const record of batch.records) if (record.offset >= from) delivered.push(record);
  }
  return delivered;
}

/** What an application gets at read_uncommitted. */
export function plainRecords(batches: readonly SeenBatch[], from: number): SeenRecord[] {
  const delivered: SeenRecord[] = [];
  for (const batch of batches) {
    if (batch.isControl) continue;
    for (const record of batch.records) if (record.offset >= from) delivered.push(record);
  }
  return delivered;
}
