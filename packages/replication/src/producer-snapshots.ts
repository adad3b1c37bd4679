import { type LogId, type Result, err, ok } from "@mantou/base";
import { BATCHES_REMEMBERED, NONE } from "./producer-columns.ts";
import {
  type ProducerEntry,
  type SavedTransactions,
  type SnapshotFault,
  decodeProducerSnapshot,
  encodeProducerSnapshot,
} from "./producer-snapshot.ts";
import { ProducerTransactions } from "./producer-transactions.ts";

/** What is remembered of a partition, to be written down and to be read again. */
export class ProducerSnapshots extends ProducerTransactions {
  /** The partition's producers as the content of a `.snapshot` file (see `producer-snapshot.ts`). */
  encodeSnapshot(logId: LogId): Uint8Array {
    const { columns } = this;
    const entries: ProducerEntry[] = [];
    for (let entry = columns.oldestOf(logId); entry !== NONE; entry = columns.newerOfLog(entry)) {
      const batches = [];
      for (let back = (columns.batchCounts[entry] as number) - 1; back >= 0; back -= 1) {
        const at = columns.batchAt(entry, back);
        batches.push({
          lastSequence: columns.lastSequences[at] as number,
          sequenceDelta: columns.sequenceDeltas[at] as number,
          lastOffset: columns.lastOffsets[at] as number,
          timestamp: columns.timestamps[at] as number,
        });
      }
      entries.push({
        producerId: columns.producerIds[entry] as number,
        producerEpoch: columns.epochs[entry] as number,
        coordinatorEpoch: columns.coordinatorEpochs[entry] as number,
        transactionOffset: columns.transactionOffsets[entry] as number,
        batches,
      });
    }
    const transactions = this.transactions[logId];
    return encodeProducerSnapshot(entries, {
      aborted: transactions?.aborted.list() ?? [],
      decided: transactions?.listDecided() ?? [],
    });
  }

  /**
   * Replaces what is known of a partition by a snapshot's content. An error leaves the partition
   * without producers: the state is to be rebuilt from an older snapshot or from the log's start.
   */
  restoreSnapshot(logId: LogId, bytes: Uint8Array, nowMs: number): Result<number, SnapshotFault> {
    this.forget(logId);
    const decoded = decodeProducerSnapshot(bytes);
    if (!decoded.ok) return err(decoded.error);
    const { columns } = this;
    const { producers, transactions } = decoded.value;
    for (const saved of producers) {
      const entry = this.enter(logId, saved.producerId, nowMs);
      columns.epochs[entry] = saved.producerEpoch;
      columns.coordinatorEpochs[entry] = saved.coordinatorEpoch;
      if (saved.transactionOffset >= 0) {
        this.openTransaction(entry, logId, saved.transactionOffset);
      }
      columns.batchCounts[entry] = 0;
      for (const batch of saved.batches.slice(-BATCHES_REMEMBERED)) {
        const at = columns.pushBatch(entry);
        columns.lastSequences[at] = batch.lastSequence;
        columns.sequenceDeltas[at] = batch.sequenceDelta;
        columns.lastOffsets[at] = batch.lastOffset;
        columns.timestamps[at] = batch.timestamp;
      }
    }
    this.restoreTransactions(logId, transactions);
    return ok(columns.countOf(logId));
  }

  private restoreTransactions(logId: LogId, { aborted, decided }: SavedTransactions): void {
    if (aborted.length === 0 && decided.length === 0) return;
    const transactions = this.transactionsOf(logId);
    for (const one of aborted) {
      transactions.aborted.push(
        one.producerId,
        one.firstOffset,
        one.lastOffset,
        one.lastStableOffset,
      );
    }
    transactions.restoreDecided(decided);
  }
}
