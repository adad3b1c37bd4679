import { expect } from "bun:test";
import type { Connection } from "@mantou/client";
import type { AnyApi, DecodedRecord } from "@mantou/protocol";
import {
  ErrorCode,
  addOffsetsToTxnApi,
  addPartitionsToTxnApi,
  createTopicsApi,
  decodeBatches,
  encodeBatch,
  endTxnApi,
  fetchApi,
  findCoordinatorApi,
  initProducerIdApi,
  listOffsetsApi,
  produceApi,
  txnOffsetCommitApi,
} from "@mantou/protocol";
import type { InProcessBroker } from "../in-process-broker.ts";

const utf8 = new TextEncoder();

/** A connection that closes with its block. */
export const closing = (it: Connection): { readonly it: Connection } & AsyncDisposable => ({
  it,
  [Symbol.asyncDispose]: async () => it.close(),
});

export async function createTopic(
  connection: Connection,
  name: string,
  partitions = 1,
): Promise<void> {
  const answer = await connection.send(createTopicsApi, 7, {
    topics: [
      { name, numPartitions: partitions, replicationFactor: 1, assignments: [], configs: [] },
    ],
    timeoutMs: 30_000,
  });
  expect(answer.topics[0]?.errorCode).toBe(ErrorCode.NONE);
}

/** Repeats a request for as long as its answer says that it is too early for it. */
export async function patiently<T>(
  ask: () => Promise<T>,
  codeOf: (answer: T) => number,
): Promise<T> {
  const early: readonly number[] = [
    ErrorCode.CONCURRENT_TRANSACTIONS,
    ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
    ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.NOT_COORDINATOR,
    ErrorCode.NOT_ENOUGH_REPLICAS,
    ErrorCode.NOT_LEADER_OR_FOLLOWER,
  ];
  const deadline = performance.now() + 30_000;
  for (;;) {
    const answer = await ask();
    if (!early.includes(codeOf(answer)) || performance.now() > deadline) return answer;
    await Bun.sleep(2);
  }
}

/** A producer of transactions as clients write it, in the old flow or in the new one. */
export class TransactionClient {
  producerId = -1;
  producerEpoch = -1;
  private sequences = new Map<string, number>();

  constructor(
    readonly connection: Connection,
    readonly transactionalId: string,
    readonly flow: "old" | "new" = "old",
  ) {}

  private version(api: AnyApi, old: number): number {
    return this.flow === "new" ? api.maxVersion : old;
  }

  async init(timeoutMs = 60_000, isResume = false): Promise<number> {
    const { connection, transactionalId } = this;
    await patiently(
      () =>
        connection.send(findCoordinatorApi, 4, { keyType: 1, coordinatorKeys: [transactionalId] }),
      (found) => found.coordinators[0]?.errorCode ?? -1,
    );
    const answer = await patiently(
      () =>
        connection.send(initProducerIdApi, 5, {
          transactionalId,
          transactionTimeoutMs: timeoutMs,
          producerId: isResume ? this.producerId : -1,
          producerEpoch: isResume ? this.producerEpoch : -1,
        }),
      ({ errorCode }) => errorCode,
    );
    if (answer.errorCode === ErrorCode.NONE) {
      this.take(answer);
      this.sequences.clear();
    }
    return answer.errorCode;
  }

  /** Adds partitions as clients of the old flow do. */
  async add(topic: string, partitions: readonly number[]): Promise<number> {
    const answer = await patiently(
      () =>
        this.connection.send(addPartitionsToTxnApi, 3, {
          v3AndBelowTransactionalId: this.transactionalId,
          v3AndBelowProducerId: this.producerId,
          v3AndBelowProducerEpoch: this.producerEpoch,
          v3AndBelowTopics: [{ name: topic, partitions: [...partitions] }],
        }),
      (added) => added.resultsByTopicV3AndBelow[0]?.resultsByPartition[0]?.partitionErrorCode ?? -1,
    );
    return answer.resultsByTopicV3AndBelow[0]?.resultsByPartition[0]?.partitionErrorCode ?? -1;
  }

  /** Writes values to one partition, as one batch. */
  async write(topic: string, partition: number, values: readonly string[]): Promise<number> {
    const place = `${topic}/${partition}`;
    const sequence = this.sequences.get(place) ?? 0;
    const answer = await patiently(
      () => this.send(topic, partition, values, sequence),
      (sent) => sent.errorCode,
    );
    if (answer.errorCode === ErrorCode.NONE) this.sequences.set(place, sequence + values.length);
    return answer.errorCode;
  }

  /** One produce request, without patience. */
  async send(
    topic: string,
    partition: number,
    values: readonly string[],
    sequence: number,
    version = this.version({ ...produceApi, maxVersion: 12 }, 11),
  ): Promise<{ readonly errorCode: number; readonly baseOffset: number }> {
    const { producerEpoch, producerId, transactionalId } = this;
    const records = encodeBatch(
      values.map((value) => ({ value: utf8.encode(value), timestamp: Date.now() })),
      { producerId, producerEpoch, baseSequence: sequence, transactional: true },
    );
    const answer = await this.connection.send(produceApi, version, {
      transactionalId,
      acks: -1,
      timeoutMs: 30_000,
      topicData: [{ name: topic, partitionData: [{ index: partition, records }] }],
    });
    const found = answer.responses[0]?.partitionResponses[0];
    return { errorCode: found?.errorCode ?? -1, baseOffset: found?.baseOffset ?? -1 };
  }

  async commitOffset(groupId: string, topic: string, partition: number, offset: number) {
    const { connection, producerEpoch, producerId, transactionalId } = this;
    const ids = { transactionalId, producerId, producerEpoch, groupId };
    await patiently(
      () => connection.send(findCoordinatorApi, 4, { keyType: 0, coordinatorKeys: [groupId] }),
      (found) => found.coordinators[0]?.errorCode ?? -1,
    );
    if (this.flow === "old") {
      const added = await patiently(
        () => connection.send(addOffsetsToTxnApi, 3, ids),
        ({ errorCode }) => errorCode,
      );
      if (added.errorCode !== ErrorCode.NONE) return added.errorCode;
    }
    const partitions = [
      { partitionIndex: partition, committedOffset: offset, committedMetadata: "" },
    ];
    const answer = await patiently(
      () =>
        connection.send(txnOffsetCommitApi, this.flow === "new" ? 5 : 3, {
          ...ids,
          topics: [{ name: topic, partitions }],
        }),
      (sent) => sent.topics[0]?.partitions[0]?.errorCode ?? -1,
    );
    return answer.topics[0]?.partitions[0]?.errorCode ?? -1;
  }

  async end(isCommit: boolean): Promise<number> {
    const { producerEpoch, producerId, transactionalId } = this;
    const answer = await patiently(
      () =>
        this.connection.send(endTxnApi, this.version(endTxnApi, 3), {
          transactionalId,
          producerId,
          producerEpoch,
          committed: isCommit,
        }),
      ({ errorCode }) => errorCode,
    );
    if (answer.errorCode === ErrorCode.NONE && this.flow === "new") {
      this.take(answer);
      this.sequences.clear();
    }
    return answer.errorCode;
  }

  private take(ids: { readonly producerId: number; readonly producerEpoch: number }): void {
    this.producerId = ids.producerId;
    this.producerEpoch = ids.producerEpoch;
  }
}

export interface ReadPartition {
  readonly values: string[];
  readonly highWatermark: number;
  readonly lastStableOffset: number;
  readonly aborted: { readonly producerId: number; readonly firstOffset: number }[];
}

/** All of a partition as a consumer sees it: read_committed leaves out what was aborted. */
export async function read(
  connection: Connection,
  topic: string,
  partition: number,
  isolationLevel: 0 | 1,
  maxBytes = 1_000_000,
): Promise<ReadPartition> {
  const values: string[] = [];
  const seen: ReadPartition["aborted"] = [];
  let offset = 0;
  for (;;) {
    const { response: answer, bytes: frame } = await connection.exchange(fetchApi, 12, {
      maxWaitMs: 0,
      minBytes: 0,
      maxBytes,
      isolationLevel,
      topics: [
        {
          topic,
          partitions: [{ partition, fetchOffset: offset, partitionMaxBytes: maxBytes }],
        },
      ],
    });
    const found = answer.responses[0]?.partitions[0];
    if (found === undefined) throw new Error("the partition is not in the answer");
    expect(found.errorCode).toBe(ErrorCode.NONE);
    const { records } = found;
    const bytes =
      records === null || !("offset" in records)
        ? new Uint8Array(0)
        : frame.subarray(records.offset, records.offset + records.length);
    const aborted = [...(found.abortedTransactions ?? [])].sort(
      (a, b) => a.firstOffset - b.firstOffset,
    );
    seen.push(...aborted);
    const batches = decodeBatches(bytes);
    const { highWatermark, lastStableOffset } = found;
    if (batches.length === 0) return { values, highWatermark, lastStableOffset, aborted: seen };
    const ignored = new Set<number>();
    for (const batch of batches) {
      while ((aborted[0]?.firstOffset ?? Infinity) <= batch.lastOffset) {
        ignored.add(aborted.shift()?.producerId ?? -1);
      }
      if (batch.isControl) {
        ignored.delete(batch.producerId);
      } else if (!(
        isolationLevel === 1 &&
        batch.isTransactional &&
        ignored.has(batch.producerId)
      )) {
        values.push(...batch.records.filter((one) => one.offset >= offset).map(textOf));
      }
      offset = batch.lastOffset + 1;
    }
  }
}

const textOf = ({ value }: DecodedRecord): string => new TextDecoder().decode(value ?? undefined);

export async function latest(
  connection: Connection,
  topic: string,
  isolationLevel: 0 | 1,
): Promise<number> {
  const answer = await connection.send(listOffsetsApi, 7, {
    replicaId: -1,
    isolationLevel,
    topics: [{ name: topic, partitions: [{ partitionIndex: 0, timestamp: -1 }] }],
  });
  return answer.topics[0]?.partitions[0]?.offset ?? -1;
}

/** Waits until a condition holds; for what happens behind the answers. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`never: ${what}`);
    await Bun.sleep(2);
  }
}

export const fatalLines = (broker: InProcessBroker): string[] =>
  broker.log.filter((line) => line.startsWith("fatal") || line.startsWith("error"));
