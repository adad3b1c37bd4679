import type { Uuid } from "@mantou/base";
import {
  ErrorCode,
  decodeConsumerAssignment,
  decodeConsumerSubscription,
  encodeConsumerAssignment,
} from "@mantou/protocol";
import type { World } from "./consumer-world.ts";
import { classicJoin, joinOf } from "./consumer-world.ts";

/** A client of a test, which owns partitions by its own account: `topicId partition`. */
export interface Client {
  readonly name: string;
  memberId: string;
  owned: Set<string>;
  isAlive: boolean;
  /** One turn: says something, or takes an answer. A loss is of the request or of the answer. */
  poll(loss: "none" | "request" | "answer"): void;
  /** Does what it was told: gives up, then takes. */
  work(): void;
  leave(): void;
}

const listOf = (owned: ReadonlySet<string>): { topicId: Uuid; partitions: number[] }[] => {
  const byTopic = new Map<Uuid, number[]>();
  for (const key of owned) {
    const [topicId, partition] = key.split(" ") as [Uuid, string];
    byTopic.set(topicId, [...(byTopic.get(topicId) ?? []), Number(partition)]);
  }
  return Array.from(byTopic, ([topicId, partitions]) => ({ topicId, partitions }));
};

/** A consumer of the consumer protocol, much as Kafka's own goes about it. */
export class ConsumerClient implements Client {
  owned = new Set<string>();
  isAlive = true;
  epoch = 0;
  private joined = false;
  private needsFull = true;
  private told: Set<string> | null = null;
  private hasNews = false;

  constructor(
    private readonly world: World,
    readonly name: string,
    public memberId: string,
    private names: readonly string[],
    private regex: string | null,
    readonly instanceId: string | null,
  ) {}

  subscribe(names: readonly string[], regex: string | null): void {
    this.names = names;
    this.regex = regex;
    this.needsFull = true;
  }

  poll(loss: "none" | "request" | "answer"): void {
    const isFull = !this.joined || this.needsFull;
    const request = isFull
      ? {
          ...joinOf(this.memberId, this.names, { rebalanceTimeoutMs: 60_000 }),
          subscribedTopicRegex: this.regex ?? "",
        }
      : { memberId: this.memberId };
    const tells = isFull || this.hasNews;
    const sent = {
      ...request,
      memberEpoch: this.joined ? this.epoch : 0,
      instanceId: this.instanceId,
      topicPartitions: tells ? listOf(this.joined ? this.owned : new Set()) : null,
    };
    this.needsFull = loss !== "none";
    if (loss === "request") return;
    const answer = this.world.heartbeat(sent);
    if (loss === "answer") {
      // What it was told before may be taken back by the answer that it did not get, and the
      // protocol cannot tell that from a partition given up: it waits for what it is told next.
      this.told = null;
      return;
    }
    this.hasNews = false;
    this.take(answer);
  }

  private take(answer: ReturnType<World["heartbeat"]>): void {
    switch (answer.errorCode) {
      case ErrorCode.NONE:
        break;
      case ErrorCode.UNKNOWN_MEMBER_ID:
      case ErrorCode.FENCED_MEMBER_EPOCH:
      case ErrorCode.GROUP_ID_NOT_FOUND:
        this.abandon();
        return;
      case ErrorCode.UNRELEASED_INSTANCE_ID:
        this.abandon();
        return;
      default:
        throw new Error(`${this.name}: ${answer.errorCode} ${answer.errorMessage}`);
    }
    if (this.joined && answer.memberEpoch < this.epoch) throw new Error("an epoch went back");
    this.joined = true;
    this.epoch = answer.memberEpoch;
    const { assignment } = answer;
    if (assignment === null || assignment === undefined) return;
    this.told = new Set();
    for (const { topicId, partitions } of assignment.topicPartitions) {
      for (const partition of partitions) this.told.add(`${topicId} ${partition}`);
    }
  }

  private abandon(): void {
    this.owned.clear();
    this.told = null;
    this.joined = false;
    this.needsFull = true;
    this.epoch = 0;
  }

  work(): void {
    if (this.told === null) return;
    let revoked = false;
    for (const key of [...this.owned]) {
      if (!this.told.has(key)) revoked = this.owned.delete(key) || revoked;
    }
    this.hasNews = true;
    // What it gave up is told before it takes anything.
    if (revoked) return;
    for (const key of this.told) this.owned.add(key);
    this.told = null;
  }

  leave(): void {
    this.isAlive = false;
    const memberEpoch = this.instanceId === null ? -1 : -2;
    if (this.joined) {
      this.world.heartbeat({ memberId: this.memberId, memberEpoch, instanceId: this.instanceId });
    }
    this.owned.clear();
  }
}

/** A consumer of the classic protocol: eager, so it has given up everything when it joins. */
export class ClassicClient implements Client {
  owned = new Set<string>();
  isAlive = true;
  memberId = "";
  private generation = -1;
  private phase: "join" | "joining" | "syncing" | "member" = "join";
  private ticket = 0;

  constructor(
    private readonly world: World,
    readonly name: string,
    private readonly topics: readonly string[],
  ) {}

  poll(loss: "none" | "request" | "answer"): void {
    if (loss === "request") return;
    switch (this.phase) {
      case "join": {
        this.owned.clear();
        const request = classicJoin(this.memberId, this.topics);
        this.ticket = this.world.ask({
          kind: "joinGroup",
          ...client(this.name),
          version: 5,
          request,
        });
        this.phase = "joining";
        return this.takeJoin();
      }
      case "joining":
        return this.takeJoin();
      case "syncing":
        return this.takeSync();
      case "member":
        return this.beat();
    }
  }

  /** An answer that a reload swallowed is a connection that broke. */
  private lostTicket(): boolean {
    return !this.world.asked.has(this.ticket);
  }

  private takeJoin(): void {
    const answer = this.world.answer("joinGroup", this.ticket);
    if (answer === undefined) {
      if (this.lostTicket()) this.phase = "join";
      return;
    }
    if (answer.errorCode !== ErrorCode.NONE) {
      if (answer.errorCode === ErrorCode.MEMBER_ID_REQUIRED) this.memberId = answer.memberId;
      if (answer.errorCode === ErrorCode.UNKNOWN_MEMBER_ID) this.memberId = "";
      this.phase = "join";
      return;
    }
    this.memberId = answer.memberId;
    this.generation = answer.generationId ?? -1;
    const assignments = answer.leader === this.memberId ? this.divide(answer.members) : [];
    this.ticket = this.world.ask({
      kind: "syncGroup",
      ...client(this.name),
      version: 5,
      request: {
        groupId: "g",
        generationId: this.generation,
        memberId: this.memberId,
        groupInstanceId: null,
        protocolType: "consumer",
        protocolName: answer.protocolName,
        assignments,
      },
    });
    this.phase = "syncing";
    this.takeSync();
  }

  /** Every partition to the first member in turn that subscribes to its topic. */
  private divide(members: readonly { memberId: string; metadata: Uint8Array }[]) {
    const subscriptions = members.map(({ memberId, metadata }) => {
      return { memberId, topics: decodeConsumerSubscription(metadata).topics };
    });
    const given = new Map<string, { topic: string; partitions: number[] }[]>();
    for (const topic of new Set(subscriptions.flatMap(({ topics }) => topics))) {
      const takers = subscriptions.filter(({ topics }) => topics.includes(topic));
      for (let at = 0; at < this.world.topics.partitionCount(topic); at++) {
        const { memberId } = takers[at % takers.length] as (typeof takers)[number];
        given.set(memberId, [...(given.get(memberId) ?? []), { topic, partitions: [at] }]);
      }
    }
    return members.map(({ memberId }) => ({
      memberId,
      assignment: encodeConsumerAssignment({ assignedPartitions: given.get(memberId) ?? [] }, 1),
    }));
  }

  private takeSync(): void {
    const answer = this.world.answer("syncGroup", this.ticket);
    if (answer === undefined) {
      if (this.lostTicket()) this.phase = "join";
      return;
    }
    if (answer.errorCode !== ErrorCode.NONE) {
      if (answer.errorCode === ErrorCode.UNKNOWN_MEMBER_ID) this.memberId = "";
      this.phase = "join";
      return;
    }
    this.phase = "member";
    this.owned.clear();
    if (answer.assignment.length === 0) return;
    for (const { topic, partitions } of decodeConsumerAssignment(answer.assignment)
      .assignedPartitions) {
      const topicId = this.world.topics.idOf(topic);
      if (topicId === undefined) continue;
      for (const partition of partitions) this.owned.add(`${topicId} ${partition}`);
    }
  }

  private beat(): void {
    const { errorCode } = this.world.call({
      kind: "heartbeat",
      ...client(this.name),
      version: 4,
      request: {
        groupId: "g",
        generationId: this.generation,
        memberId: this.memberId,
        groupInstanceId: null,
      },
    });
    if (errorCode === ErrorCode.NONE) return;
    this.owned.clear();
    if (errorCode === ErrorCode.UNKNOWN_MEMBER_ID) this.memberId = "";
    this.phase = "join";
  }

  work(): void {}

  leave(): void {
    this.isAlive = false;
    this.owned.clear();
    if (this.memberId === "") return;
    this.world.call({
      kind: "leaveGroup",
      ...client(this.name),
      version: 5,
      request: {
        groupId: "g",
        memberId: "",
        members: [{ memberId: this.memberId, groupInstanceId: null, reason: null }],
      },
    });
  }
}

const client = (name: string) => ({ clientId: name, clientHost: "/127.0.0.1" });
