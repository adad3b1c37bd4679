import { BrokerError, type Client, type Connection, retrying } from "@mantou/client";
import {
  addPartitionsToTxnApi,
  encodeBatch,
  endTxnApi,
  ErrorCode,
  initProducerIdApi,
  produceApi,
} from "@mantou/protocol";
import { coordinatorOf } from "./coordinator.ts";

const PRODUCERS = 20;
const TIMEOUT_MS = 60_000;
/** The flow that every client has: partitions are added before they are written to. */
const ADD_VERSION = 3;
const END_VERSION = 3;
const PRODUCE_VERSION = 9;
const RECORD_BYTES = 1024;

/** Twenty producers, each a transaction of one record after the other. Gives transactions/s. */
export async function transactionsPerSecond(
  client: Client,
  topic: string,
  partitions: number,
  seconds: number,
): Promise<number> {
  const producers = await Promise.all(
    Array.from({ length: PRODUCERS }, (_, index) =>
      TransactionalProducer.open(client, `bench-${index}`, topic, index % partitions),
    ),
  );
  let ended = 0;
  const beganAtMs = performance.now();
  const deadline = beganAtMs + seconds * 1000;
  await Promise.all(
    producers.map(async (producer) => {
      while (performance.now() < deadline) {
        await producer.transact();
        ended += 1;
      }
    }),
  );
  return ended / ((performance.now() - beganAtMs) / 1000);
}

class TransactionalProducer {
  private sequence = 0;

  private constructor(
    private readonly coordinator: Connection,
    private readonly leader: Connection,
    private readonly transactionalId: string,
    private readonly topic: string,
    private readonly partition: number,
    private readonly producerId: number,
    private readonly producerEpoch: number,
  ) {}

  static async open(
    client: Client,
    transactionalId: string,
    topic: string,
    partition: number,
  ): Promise<TransactionalProducer> {
    const coordinator = await coordinatorOf(client, "transaction", transactionalId);
    const { connection } = await client.cluster.leader(topic, partition);
    const request = { transactionalId, transactionTimeoutMs: 60_000 };
    const { producerId, producerEpoch } = await retrying(TIMEOUT_MS, async () => {
      const answer = await coordinator.send(initProducerIdApi, 4, request);
      if (answer.errorCode !== 0) throw new BrokerError(answer.errorCode, "InitProducerId");
      return answer;
    });
    const place = [topic, partition, producerId, producerEpoch] as const;
    return new TransactionalProducer(coordinator, connection, transactionalId, ...place);
  }

  async transact(): Promise<void> {
    const { producerEpoch, producerId, transactionalId } = this;
    await retrying(TIMEOUT_MS, () => this.add());
    await this.produce();
    const ids = { transactionalId, producerId, producerEpoch };
    await retrying(TIMEOUT_MS, async () => {
      const answer = await this.coordinator.send(endTxnApi, END_VERSION, {
        ...ids,
        committed: true,
      });
      if (answer.errorCode !== 0) throw new BrokerError(answer.errorCode, "EndTxn");
    });
  }

  /** Refused with CONCURRENT_TRANSACTIONS, which is retriable, while the last one is completed. */
  private async add(): Promise<void> {
    const answer = await this.coordinator.send(addPartitionsToTxnApi, ADD_VERSION, {
      v3AndBelowTransactionalId: this.transactionalId,
      v3AndBelowProducerId: this.producerId,
      v3AndBelowProducerEpoch: this.producerEpoch,
      v3AndBelowTopics: [{ name: this.topic, partitions: [this.partition] }],
    });
    const result = answer.resultsByTopicV3AndBelow[0]?.resultsByPartition[0];
    const code = result?.partitionErrorCode ?? ErrorCode.UNKNOWN_SERVER_ERROR;
    if (code !== ErrorCode.NONE) throw new BrokerError(code, "AddPartitionsToTxn");
  }

  private async produce(): Promise<void> {
    const value = new Uint8Array(RECORD_BYTES);
    const records = encodeBatch([{ key: null, value, timestamp: Date.now() }], {
      producerId: this.producerId,
      producerEpoch: this.producerEpoch,
      baseSequence: this.sequence,
      transactional: true,
    });
    const answer = await this.leader.send(produceApi, PRODUCE_VERSION, {
      transactionalId: this.transactionalId,
      acks: -1,
      timeoutMs: 30_000,
      topicData: [{ name: this.topic, partitionData: [{ index: this.partition, records }] }],
    });
    const code = answer.responses[0]?.partitionResponses[0]?.errorCode ?? -1;
    if (code !== ErrorCode.NONE) throw new BrokerError(code, "Produce");
    this.sequence += 1;
  }
}
