import type { CoordinatorShard, LogId } from "@mantou/base";
import { offset } from "@mantou/base";
import type { LogStore } from "@mantou/io";
import type { DecodedBatch } from "@mantou/protocol";
import { ControlType, controlType, decodeBatches } from "@mantou/protocol";
import type { PartitionTable } from "@mantou/replication";

/** Bytes of log that are in memory at a time while one shard is loaded. */
const LOAD_BYTES = 256 * 1024;

export interface LoadParts {
  readonly logs: LogStore;
  readonly partitions: PartitionTable;
  /** False: what is loaded is not wanted any more. */
  readonly isWanted: () => boolean;
}

/** The side of a shard that takes what is in its log. */
export type Replaying = Pick<CoordinatorShard<never, never, never>, "replay" | "replayMarker">;

/** What was read, for the line that is logged. */
export interface Loaded {
  readonly records: number;
  readonly bytes: number;
}

/** Brings everything that is in a log into a shard, piece by piece. Rejects with IoError, RecordsError. */
export async function loadShard(parts: LoadParts, logId: LogId, shard: Replaying): Promise<Loaded> {
  const { logs, partitions, isWanted } = parts;
  let at = partitions.logStartOffset(logId);
  const end = partitions.logEndOffset(logId);
  let records = 0;
  let bytes = 0;
  while (at < end) {
    const read = await logs.read(logId, offset(at), LOAD_BYTES);
    if (!isWanted()) break;
    const batches = decodeBatches(read);
    bytes += read.length;
    for (const batch of batches) {
      records += replay(shard, batch, at);
      at = Math.max(at, batch.lastOffset + 1);
    }
    // Compaction may have left nothing up to the end.
    if (batches.length === 0) break;
  }
  return { records, bytes };
}

function replay(shard: Replaying, batch: DecodedBatch, from: number): number {
  if (batch.isControl) {
    replayControl(shard, batch);
    return 0;
  }
  const { baseOffset, producerId, producerEpoch, isTransactional } = batch;
  const origin = { baseOffset, producerId, producerEpoch, isTransactional };
  for (const record of batch.records) {
    // A record without a key says nothing of anything; only a foreign producer writes one.
    if (record.key === null || record.offset < from) continue;
    shard.replay({ key: record.key, value: record.value }, origin);
  }
  return batch.records.length;
}

function replayControl(
  shard: Replaying,
  { producerId, producerEpoch, records, isTransactional }: DecodedBatch,
): void {
  const type = isTransactional ? controlType(records[0]?.key ?? null) : -1;
  if (type !== ControlType.COMMIT && type !== ControlType.ABORT) return;
  shard.replayMarker({ producerId, producerEpoch, isCommit: type === ControlType.COMMIT });
}
