import { Admin } from "./admin.ts";
import { GroupAdmin } from "./admin-groups.ts";
import { TransactionAdmin } from "./admin-transactions.ts";
import { Cluster, type ClusterOptions } from "./cluster.ts";
import { Consumer, type ConsumerOptions } from "./consumer.ts";
import { Producer } from "./producer.ts";
import type { ProducerOptions } from "./producer-options.ts";

export type ClientOptions = ClusterOptions;

/** The way in: one client holds the connections that its producers and consumers share. */
export class Client {
  readonly admin: Admin;
  readonly groups: GroupAdmin;
  readonly transactions: TransactionAdmin;
  private readonly producers = new Set<Producer>();
  private readonly consumers = new Set<Consumer>();

  /** @param cluster for what this package has no name for: connections, leaders, any request. */
  private constructor(readonly cluster: Cluster) {
    this.admin = new Admin(cluster);
    this.groups = new GroupAdmin(cluster);
    this.transactions = new TransactionAdmin(cluster);
  }

  /** Connects to the first broker that answers. Throws ClientError. */
  static async connect(options: ClientOptions): Promise<Client> {
    const cluster = new Cluster(options);
    await cluster.any();
    return new Client(cluster);
  }

  producer(options: ProducerOptions = {}): Producer {
    const producer = new Producer(this.cluster, options);
    this.producers.add(producer);
    return producer;
  }

  consumer(options: ConsumerOptions = {}): Consumer {
    const consumer = new Consumer(this.cluster, options);
    this.consumers.add(consumer);
    return consumer;
  }

  /** Flushes producers, ends consumers and closes all connections. */
  async close(): Promise<void> {
    for (const consumer of this.consumers) consumer.close();
    await Promise.all([...this.producers].map((producer) => producer.close()));
    this.cluster.close();
  }

  /** Closes at once; what is under way fails. */
  abort(): void {
    for (const consumer of this.consumers) consumer.close();
    for (const producer of this.producers) producer.abort();
    this.cluster.close();
  }
}
