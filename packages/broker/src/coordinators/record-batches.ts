import type { CoordinatorRecord, CoordinatorWrite } from "@mantou/base";
import { BATCH_HEADER_BYTES, BatchBuilder } from "@mantou/protocol";
import type { PendingWrite, RawBatch } from "./shard-slot.ts";

/** What a record takes beside its key and value, at most. */
const RECORD_OVERHEAD_BYTES = 32;

/**
 * Writes as batches. A write is never split; writes without a transaction that follow each other
 * share a batch as long as it stays below `bytesMax`. Null: a single write is larger than
 * `batchBytesMax`, which no segment can hold.
 *
 * @param bytesMax where a shared batch ends: the topic's max.message.bytes.
 */
export function batchesOf(
  writes: readonly PendingWrite[],
  wallMs: number,
  bytesMax: number,
  batchBytesMax: number,
): RawBatch[] | null {
  const batches: RawBatch[] = [];
  let shared: BatchBuilder | null = null;
  const close = (): void => {
    if (shared !== null) batches.push(built(shared, null));
    shared = null;
  };
  for (const write of writes) {
    if ("bytes" in write) {
      close();
      batches.push(write);
      continue;
    }
    if (write.records.length === 0) continue;
    const bytes = sizeOf(write);
    if (bytes + BATCH_HEADER_BYTES > batchBytesMax) return null;
    if (write.transaction !== null) {
      close();
      const builder = new BatchBuilder(bytes + BATCH_HEADER_BYTES);
      put(builder, write, wallMs);
      batches.push(built(builder, write.transaction));
      continue;
    }
    const open: BatchBuilder | null = shared;
    if (open !== null && (open as BatchBuilder).sizeBytes + bytes > bytesMax) close();
    shared ??= new BatchBuilder(bytes + BATCH_HEADER_BYTES);
    put(shared, write, wallMs);
  }
  close();
  return batches;
}

function put(builder: BatchBuilder, { records }: CoordinatorWrite, timestamp: number): void {
  for (const { key, value } of records) builder.append({ key, value, timestamp });
}

function built(builder: BatchBuilder, transaction: CoordinatorWrite["transaction"]): RawBatch {
  const bytes =
    transaction === null ? builder.build() : builder.build({ ...transaction, transactional: true });
  return { bytes, offsets: builder.recordsCount, transaction };
}

const sizeOf = ({ records }: CoordinatorWrite): number =>
  records.reduce((sum, record) => sum + recordBytes(record), 0);

const recordBytes = ({ key, value }: CoordinatorRecord): number =>
  key.length + (value?.length ?? 0) + RECORD_OVERHEAD_BYTES;
