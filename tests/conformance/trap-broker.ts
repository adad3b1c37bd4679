import type { Uuid } from "@mantou/base";
import { Client, Connection } from "@mantou/client";
import { fetchApi, produceApi, type Span } from "@mantou/protocol";
import { BrokerProcess, temporaryFolder } from "../processes/broker-process.ts";

export interface TrapTopic {
  readonly name: string;
  readonly topicId: Uuid;
}

interface Wanted {
  readonly partition?: number;
  readonly fetchOffset: number;
  readonly partitionMaxBytes?: number;
}

/** A broker process with a client and a connection to it, and the requests that traps are made of. */
export class TrapBroker {
  private constructor(
    private readonly folder: { [Symbol.dispose](): void },
    readonly process: BrokerProcess,
    readonly client: Client,
    readonly connection: Connection,
  ) {}

  static async start(): Promise<TrapBroker> {
    const folder = temporaryFolder();
    const broker = await BrokerProcess.start({
      dataDirectory: folder.path,
      // The first member of a group need not wait for others (trap 18).
      environment: { MANTOU_GROUP_INITIAL_REBALANCE_DELAY_MS: "0" },
    });
    const client = await Client.connect({ brokers: broker.address });
    const connection = await Connection.open({ host: "127.0.0.1", port: broker.port });
    return new TrapBroker(folder, broker, client, connection);
  }

  get port(): number {
    return this.process.port;
  }

  async newTopic(partitions = 1, configs: Record<string, string> = {}): Promise<TrapTopic> {
    const name = `t-${crypto.randomUUID()}`;
    const { topicId } = await this.client.admin.createTopic({ name, partitions, configs });
    return { name, topicId };
  }

  /** Produces one batch as it stands and gives the partition's answer. */
  async produce(name: string, records: Uint8Array, partition = 0, version = 9) {
    const response = await this.connection.send(produceApi, version, {
      ...{ acks: -1, timeoutMs: 10_000 },
      topicData: [{ name, partitionData: [{ index: partition, records }] }],
    });
    const answer = response.responses[0]?.partitionResponses[0];
    if (answer === undefined) throw new Error("no answer for the partition");
    return answer;
  }

  /** Fetches partitions of a topic by name and gives each with its bytes. */
  async fetch(name: string, wanted: readonly Wanted[], maxBytes = 10_000_000) {
    const fallback = { partition: 0, partitionMaxBytes: 1_000_000 };
    const partitions = wanted.map((one) => ({ ...fallback, ...one }));
    const { response, bytes } = await this.connection.exchange(fetchApi, 12, {
      ...{ maxWaitMs: 0, minBytes: 0, maxBytes },
      topics: [{ topic: name, partitions }],
    });
    return (response.responses[0]?.partitions ?? []).map((partition) => {
      const { offset, length } = partition.records as Span;
      return { ...partition, bytes: bytes.slice(offset, offset + length) };
    });
  }

  async stop(): Promise<void> {
    this.connection.close();
    this.client.abort();
    await this.process.stop();
    this.folder[Symbol.dispose]();
  }
}
