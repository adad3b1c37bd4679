import { ErrorCode } from "@mantou/protocol";
import type { Marker } from "@mantou/replication";
import type { MarkersWritten, TransactionRequest } from "@mantou/transactions";
import type { Ambient } from "../ambient.ts";
import type { MarkerWriter } from "./marker-writer.ts";

type SendMarkers = Extract<TransactionRequest, { readonly kind: "sendMarkers" }>;

/** Pauses between tries to write a marker where that failed, in milliseconds. */
const RETRY_MS_MIN = 20;
const RETRY_MS_MAX = 1000;

interface Task {
  readonly request: SendMarkers;
  readonly marker: Marker;
  readonly written: (command: MarkersWritten) => void;
  /** Whether the coordinator that asked is still this broker's. */
  readonly isWanted: () => boolean;
  /** Partitions that have no marker yet. */
  left: number;
}

export interface MarkerSenderParts {
  readonly ambient: Ambient;
  readonly writer: MarkerWriter;
  readonly flushSoon: () => void;
}

/**
 * Brings the markers of decided transactions to their partitions, until each has one. What is
 * under way here is not stored: a coordinator that is loaded asks again for what is left.
 */
export class MarkerSender {
  /** By transaction; a coordinator that asks again takes the place of its earlier self. */
  private readonly tasks = new Map<string, Task>();
  private readonly retries = new Set<() => void>();
  private stopped = false;

  constructor(private readonly parts: MarkerSenderParts) {}

  /** Transactions that have ended with all of their markers. */
  readonly ended = { committed: 0, aborted: 0 };

  /** Transactions whose markers are not all written. */
  get completing(): number {
    return this.tasks.size;
  }

  send(
    request: SendMarkers,
    written: (command: MarkersWritten) => void,
    isWanted: () => boolean,
  ): void {
    const { coordinatorEpoch, isCommit, producerEpoch, producerId } = request;
    const marker = { producerId, producerEpoch, coordinatorEpoch, isCommit };
    const left = request.topics.reduce((sum, { partitions }) => sum + partitions.length, 0);
    const task: Task = { request, marker, written, isWanted, left };
    this.tasks.set(keyOf(request), task);
    for (const { partitions, topic } of request.topics) {
      for (const partition of partitions) this.write(task, topic, partition, RETRY_MS_MIN);
    }
  }

  stop(): void {
    this.stopped = true;
    for (const cancel of this.retries) cancel();
    this.retries.clear();
    this.tasks.clear();
  }

  private write(task: Task, topic: string, partition: number, retryMs: number): void {
    const { marker, request } = task;
    this.parts.writer.write(topic, partition, marker, request.transactionVersion, (errorCode) =>
      this.settled(task, topic, partition, errorCode, retryMs),
    );
  }

  private settled(
    task: Task,
    topic: string,
    partition: number,
    errorCode: ErrorCode,
    retryMs: number,
  ): void {
    if (this.stopped || !this.isCurrent(task)) return;
    switch (errorCode) {
      case ErrorCode.NONE:
      // The topic is gone, and the transaction's records with it.
      case ErrorCode.UNKNOWN_TOPIC_OR_PARTITION:
      // A marker of a later epoch has ended whatever this one would.
      case ErrorCode.INVALID_PRODUCER_EPOCH:
        this.done(task, topic, partition);
        return;
      case ErrorCode.TRANSACTION_COORDINATOR_FENCED:
        this.parts.ambient.logger.error("transaction_marker_fenced", {
          transactionalId: task.request.transactionalId,
          topic,
          partition,
          why: "a marker of a later coordinator is in the partition",
          todo: "the transaction is completed when its coordinator is loaded again",
        });
        this.tasks.delete(keyOf(task.request));
        return;
      default:
        this.retry(task, topic, partition, retryMs);
    }
  }

  private done(task: Task, topic: string, partition: number): void {
    const { producerEpoch, producerId, transactionalId } = task.request;
    task.left -= 1;
    if (task.left === 0) {
      this.tasks.delete(keyOf(task.request));
      this.ended[task.marker.isCommit ? "committed" : "aborted"] += 1;
    }
    task.written({
      kind: "markersWritten",
      transactionalId,
      producerId,
      producerEpoch,
      topics: [{ topic, partitions: [partition] }],
    });
  }

  private retry(task: Task, topic: string, partition: number, retryMs: number): void {
    const cancel = this.parts.ambient.timers.after(retryMs, () => {
      this.retries.delete(cancel);
      if (this.stopped || !this.isCurrent(task)) return;
      if (!task.isWanted()) {
        this.tasks.delete(keyOf(task.request));
        return;
      }
      this.write(task, topic, partition, Math.min(retryMs * 2, RETRY_MS_MAX));
      this.parts.flushSoon();
    });
    this.retries.add(cancel);
  }

  private isCurrent(task: Task): boolean {
    return this.tasks.get(keyOf(task.request)) === task;
  }
}

const keyOf = ({ producerEpoch, producerId, transactionalId }: SendMarkers): string =>
  `${producerId}/${producerEpoch}/${transactionalId}`;
