import type { Clock, LogId } from "@mantou/base";
import { ErrorCode, encodeBatch, transactionMarker } from "@mantou/protocol";
import type { Marker, PartitionTable, ProducerStates } from "@mantou/replication";
import { CONSUMER_OFFSETS } from "../coordinators/internal-topics.ts";
import type { LogWriter } from "../coordinators/log-writer.ts";
import type { RawBatch } from "../coordinators/shard-slot.ts";
import type { Route } from "../handlers/produce.ts";

export interface MarkerWriterParts {
  readonly clock: Clock;
  readonly partitions: PartitionTable;
  readonly producers: ProducerStates;
  readonly writer: LogWriter;
  readonly resolve: (topic: string, usesId: boolean, partition: number) => Route;
  /** Writes a marker into a partition of `__consumer_offsets` and tells the shard there of it. */
  readonly endGroupTransaction: (
    partition: number,
    batch: RawBatch,
    marker: Marker,
    settle: (errorCode: ErrorCode) => void,
  ) => void;
}

/** Writes transaction markers into the partitions that this broker leads (control batches). */
export class MarkerWriter {
  constructor(private readonly parts: MarkerWriterParts) {}

  /** `settle` is called once: with NONE when the marker is committed, or was before. */
  write(
    topic: string,
    partition: number,
    marker: Marker,
    transactionVersion: number,
    settle: (errorCode: ErrorCode) => void,
  ): void {
    const { parts } = this;
    const route = parts.resolve(topic, false, partition);
    if ("errorCode" in route) {
      settle(route.errorCode as ErrorCode);
      return;
    }
    const { logId } = route;
    if (parts.partitions.isFailed(logId)) {
      settle(ErrorCode.KAFKA_STORAGE_ERROR);
      return;
    }
    const verdict = parts.producers.judgeMarker(logId, marker, transactionVersion);
    if (verdict.kind === "refuse") {
      settle(verdict.errorCode);
      return;
    }
    // One that is written but may still be lost is written once more: that does no harm.
    if (verdict.kind === "done" && this.isCommitted(logId)) {
      settle(ErrorCode.NONE);
      return;
    }
    const batch: RawBatch = {
      bytes: markerBatch(marker, parts.clock.wallMs()),
      offsets: 1,
      assigned: (baseOffset) => this.record(logId, marker, baseOffset),
    };
    if (topic === CONSUMER_OFFSETS) {
      parts.endGroupTransaction(partition, batch, marker, settle);
      return;
    }
    parts.writer.append(logId, batch.bytes, batch.offsets, {
      assigned: (baseOffset) => this.record(logId, marker, baseOffset),
      settled: settle,
    });
  }

  private isCommitted(logId: LogId): boolean {
    const { partitions } = this.parts;
    return partitions.highWatermark(logId) >= partitions.logEndOffset(logId);
  }

  private record(logId: LogId, marker: Marker, baseOffset: number): void {
    const { clock, partitions, producers } = this.parts;
    const highWatermark = partitions.highWatermark(logId);
    producers.recordMarker(logId, marker, baseOffset, highWatermark, clock.wallMs());
  }
}

function markerBatch(marker: Marker, timestamp: number): Uint8Array {
  const { coordinatorEpoch, isCommit, producerEpoch, producerId } = marker;
  const record = { ...transactionMarker(isCommit, coordinatorEpoch), timestamp };
  return encodeBatch([record], { producerId, producerEpoch, transactional: true, control: true });
}
