import {
  type DescribeProducersResponse,
  describeProducersApi,
  describeTransactionsApi,
  listTransactionsApi,
  writeTxnMarkersApi,
} from "@mantou/protocol";
import type { TopicPartitions } from "./admin-groups.ts";
import type { Cluster } from "./cluster.ts";
import { onCoordinator, onEveryBroker, throwIfMoved } from "./coordinators.ts";
import { throwIfError } from "./errors.ts";

export interface ListedTransaction {
  readonly transactionalId: string;
  readonly producerId: number;
  readonly state: string;
}

export interface TransactionDescription extends ListedTransaction {
  readonly producerEpoch: number;
  readonly timeoutMs: number;
  /** Milliseconds since the epoch; -1: none is open. */
  readonly startTimeMs: number;
  readonly topics: readonly TopicPartitions[];
}

export type ActiveProducer =
  DescribeProducersResponse["topics"][number]["partitions"][number]["activeProducers"][number];

export interface TransactionFilter {
  readonly states?: readonly string[];
  readonly producerIds?: readonly number[];
  /** Only transactions open for longer, in milliseconds. */
  readonly longerThanMs?: number;
}

/** An open transaction of one partition, to be ended there without its coordinator. */
export interface HangingTransaction {
  readonly topic: string;
  readonly partition: number;
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly coordinatorEpoch: number;
}

/** What an operator does with transactions (KIP-664). */
export class TransactionAdmin {
  constructor(private readonly cluster: Cluster) {}

  /** Transactions of all coordinators, by id. Throws BrokerError. */
  async list(filter: TransactionFilter = {}): Promise<ListedTransaction[]> {
    const { states = [], producerIds = [], longerThanMs } = filter;
    const answers = await onEveryBroker(this.cluster, (connection) =>
      this.cluster.call(connection, listTransactionsApi, {
        stateFilters: states,
        producerIdFilters: producerIds,
        ...(longerThanMs === undefined ? {} : { durationFilter: longerThanMs }),
      }),
    );
    return answers
      .flatMap(({ errorCode, transactionStates }) => {
        throwIfError(errorCode, "ListTransactions");
        return transactionStates.map(({ transactionalId, producerId, transactionState }) => ({
          transactionalId,
          producerId,
          state: transactionState,
        }));
      })
      .sort((a, b) => (a.transactionalId < b.transactionalId ? -1 : 1));
  }

  /** Throws BrokerError: TRANSACTIONAL_ID_NOT_FOUND. */
  describe(transactionalId: string): Promise<TransactionDescription> {
    return onCoordinator(this.cluster, "transaction", transactionalId, async (connection) => {
      const request = { transactionalIds: [transactionalId] };
      const answer = await this.cluster.call(connection, describeTransactionsApi, request);
      const what = `transactional id ${transactionalId}`;
      const [found] = answer.transactionStates;
      throwIfMoved(found?.errorCode ?? -1, what);
      throwIfError(found?.errorCode ?? -1, what);
      return {
        transactionalId,
        producerId: found?.producerId ?? -1,
        producerEpoch: found?.producerEpoch ?? -1,
        state: found?.transactionState ?? "",
        timeoutMs: found?.transactionTimeoutMs ?? -1,
        startTimeMs: found?.transactionStartTimeMs ?? -1,
        topics: found?.topics ?? [],
      };
    });
  }

  /** The producers that a partition knows, with the start of their open transactions. */
  producers(topic: string, partition: number): Promise<readonly ActiveProducer[]> {
    return this.cluster.onLeader(topic, partition, async ({ connection }) => {
      const request = { topics: [{ name: topic, partitionIndexes: [partition] }] };
      const answer = await this.cluster.call(connection, describeProducersApi, request);
      const result = answer.topics[0]?.partitions[0];
      throwIfError(result?.errorCode ?? -1, `producers of ${topic}-${partition}`);
      return result?.activeProducers ?? [];
    });
  }

  /** Ends a transaction in one partition by an abort marker. Throws BrokerError. */
  abort(hanging: HangingTransaction): Promise<void> {
    const { topic, partition, producerId, producerEpoch, coordinatorEpoch } = hanging;
    return this.cluster.onLeader(topic, partition, async ({ connection }) => {
      const topics = [{ name: topic, partitionIndexes: [partition] }];
      const marker = { producerId, producerEpoch, transactionResult: false, topics };
      const answer = await this.cluster.call(connection, writeTxnMarkersApi, {
        // A partition that has seen no coordinator yet takes a marker of epoch 0.
        markers: [{ ...marker, coordinatorEpoch: Math.max(coordinatorEpoch, 0) }],
      });
      const result = answer.markers[0]?.topics[0]?.partitions[0];
      throwIfError(result?.errorCode ?? -1, `abort in ${topic}-${partition}`);
    });
  }
}
