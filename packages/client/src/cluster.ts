import { type Api, metadataApi } from "@mantou/protocol";
import { type Address, parseAddresses } from "./addresses.ts";
import { Connection, type ConnectionOptions } from "./connection.ts";
import { ClientError, throwIfError } from "./errors.ts";
import { type BrokerNode, type ClusterMetadata, partitionOf, readMetadata } from "./metadata.ts";
import type { TopicMetadata } from "./metadata.ts";
import { retrying } from "./retry.ts";

export interface ClusterOptions extends Omit<ConnectionOptions, "host" | "port" | "negotiate"> {
  /** "host:port", several with commas or as a list. */
  readonly brokers: string | readonly string[];
  /** Let brokers create topics that are asked for; false when absent. */
  readonly autoCreateTopics?: boolean;
  /** How long a call may try again, in milliseconds; 30,000 when absent. */
  readonly retryTimeoutMs?: number;
}

/** Who leads a partition, and a connection to it. */
export interface Leader {
  readonly connection: Connection;
  readonly topic: TopicMetadata;
  readonly brokerId: number;
  readonly leaderEpoch: number;
}

/** Topics whose metadata is kept; the oldest is forgotten beyond that. */
const TOPICS_KEPT_MAX = 10_000;

/** The brokers: their addresses, a connection to each that is needed, and who leads what. */
export class Cluster {
  readonly retryTimeoutMs: number;
  private readonly bootstrap: readonly Address[];
  private readonly connections = new Map<string, Promise<Connection>>();
  private readonly owned = new Set<Connection>();
  private readonly topics = new Map<string, TopicMetadata>();
  private readonly refreshes = new Map<string, Promise<TopicMetadata>>();
  private brokers = new Map<number, BrokerNode>();
  private controllerId = -1;
  private isClosed = false;

  constructor(private readonly options: ClusterOptions) {
    this.bootstrap = parseAddresses(options.brokers);
    this.retryTimeoutMs = options.retryTimeoutMs ?? 30_000;
  }

  /** Ends all connections; calls that are under way fail. */
  close(): void {
    this.isClosed = true;
    for (const opening of this.connections.values()) {
      opening.then((connection) => connection.close()).catch(() => {});
    }
    this.connections.clear();
    for (const connection of this.owned) connection.close();
  }

  /** A connection to any broker: one that is open, else the first that can be opened. */
  async any(): Promise<Connection> {
    for (const opening of this.connections.values()) {
      const connection = await opening.catch(() => null);
      if (connection?.isOpen === true) return connection;
    }
    let failure: unknown = null;
    for (const address of [...this.brokers.values(), ...this.bootstrap]) {
      try {
        return await this.open(address);
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }

  /** A connection to one broker, by id. */
  async broker(brokerId: number): Promise<Connection> {
    return this.open(await this.address(brokerId));
  }

  /**
   * A connection of the caller's own to one broker, for requests that wait there: whatever is
   * asked behind them waits as well. Ended by its owner, or with all others.
   */
  async ownConnection(brokerId: number): Promise<Connection> {
    const { host, port } = await this.address(brokerId);
    if (this.isClosed) throw new ClientError("USAGE", "the client is closed");
    const connection = await Connection.open({ ...this.options, host, port });
    this.owned.add(connection);
    void connection.closed.then(() => this.owned.delete(connection));
    if (this.isClosed) connection.close();
    return connection;
  }

  private async address(brokerId: number): Promise<Address> {
    const node = this.brokers.get(brokerId);
    if (node !== undefined) return node;
    const metadata = await this.metadata([]);
    const found = metadata.brokers.find((broker) => broker.id === brokerId);
    if (found === undefined) {
      throw new ClientError("UNREACHABLE", `the cluster does not tell where broker ${brokerId} is`);
    }
    return found;
  }

  /** A connection to whom admin requests go. */
  async controller(): Promise<Connection> {
    if (this.controllerId < 0) await this.metadata([]);
    return this.controllerId < 0 ? this.any() : this.broker(this.controllerId);
  }

  /** Asks for metadata: of all topics (null), or of the named ones. Keeps what it learns. */
  async metadata(
    topics: readonly string[] | null,
    autoCreate = this.options.autoCreateTopics ?? false,
  ): Promise<ClusterMetadata> {
    const connection = await this.any();
    const response = await this.call(connection, metadataApi, {
      topics: topics === null ? null : topics.map((name) => ({ name })),
      allowAutoTopicCreation: autoCreate,
    });
    throwIfError(response.errorCode, "Metadata");
    const metadata = readMetadata(response);
    this.brokers = new Map(metadata.brokers.map((broker) => [broker.id, broker]));
    this.controllerId = metadata.controllerId;
    for (const topic of metadata.topics) this.keep(topic);
    for (const name of metadata.failed.keys()) this.topics.delete(name);
    return metadata;
  }

  /** A topic's metadata: what is known, else what the cluster says now. Throws BrokerError. */
  async topic(name: string): Promise<TopicMetadata> {
    const known = this.topics.get(name);
    if (known !== undefined) return known;
    const running = this.refreshes.get(name);
    if (running !== undefined) return running;
    const refresh = this.metadata([name]).then((metadata) => {
      const topic = metadata.topics.find((entry) => entry.name === name);
      if (topic !== undefined) return topic;
      throw metadata.failed.get(name) ?? new ClientError("MALFORMED", `no answer about ${name}`);
    });
    this.refreshes.set(name, refresh);
    try {
      return await refresh;
    } finally {
      this.refreshes.delete(name);
    }
  }

  /** What is known of a topic, without asking. */
  knownTopic(name: string): TopicMetadata | undefined {
    return this.topics.get(name);
  }

  /** Makes the next question about a topic go to the cluster. */
  forget(name: string): void {
    this.topics.delete(name);
  }

  /** The leader of a partition. Throws where there is none now. */
  async leader(name: string, partition: number): Promise<Leader> {
    const topic = await this.topic(name);
    const { leaderId, leaderEpoch } = partitionOf(topic, partition);
    const connection = await this.broker(leaderId);
    return { connection, topic, brokerId: leaderId, leaderEpoch };
  }

  /** Calls a partition's leader, and again where leadership or the connection has changed. */
  onLeader<T>(
    name: string,
    partition: number,
    call: (leader: Leader, leftMs: number) => Promise<T>,
    timeoutMs = this.retryTimeoutMs,
  ): Promise<T> {
    return retrying(
      timeoutMs,
      async (leftMs) => call(await this.leader(name, partition), leftMs),
      () => this.forget(name),
    );
  }

  /** Calls the controller, and again while it moves or cannot be reached. */
  onController<T>(call: (connection: Connection) => Promise<T>): Promise<T> {
    return retrying(
      this.retryTimeoutMs,
      async () => call(await this.controller()),
      () => {
        this.controllerId = -1;
      },
    );
  }

  /**
   * Sends at the best version. A connection whose broker does not answer in time is given up,
   * since everything behind that request waits as well.
   */
  async call<Req, Res, ReqIn, ResIn>(
    connection: Connection,
    api: Api<Req, Res, ReqIn, ResIn>,
    request: NoInfer<ReqIn>,
    timeoutMs?: number,
  ): Promise<Res> {
    try {
      return await connection.request(api, request, timeoutMs === undefined ? {} : { timeoutMs });
    } catch (error) {
      if (error instanceof ClientError && error.code === "TIMED_OUT") connection.close();
      throw error;
    }
  }

  private keep(topic: TopicMetadata): void {
    this.topics.delete(topic.name);
    this.topics.set(topic.name, topic);
    if (this.topics.size <= TOPICS_KEPT_MAX) return;
    const [oldest] = this.topics.keys();
    if (oldest !== undefined) this.topics.delete(oldest);
  }

  private async open(address: Address): Promise<Connection> {
    if (this.isClosed) throw new ClientError("USAGE", "the client is closed");
    const key = `${address.host}:${address.port}`;
    const known = this.connections.get(key);
    if (known !== undefined) return known;
    const opening = Connection.open({ ...this.options, host: address.host, port: address.port });
    this.connections.set(key, opening);
    const drop = (): void => {
      if (this.connections.get(key) === opening) this.connections.delete(key);
    };
    try {
      const connection = await opening;
      void connection.closed.then(drop);
      return connection;
    } catch (error) {
      drop();
      throw error;
    }
  }
}
