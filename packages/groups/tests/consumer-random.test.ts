import { expect, test } from "bun:test";
import { Prng } from "@mantou/base";
import { DEFAULT_GROUP_SETTINGS } from "../src/index.ts";
import type { Client } from "./consumer-clients.ts";
import { ClassicClient, ConsumerClient } from "./consumer-clients.ts";
import { World } from "./consumer-world.ts";

const SEEDS = process.env["MANTOU_LONG"] === "1" ? 400 : 12;
const STEPS = 700;
const CLIENTS_MAX = 8;
const TOPICS = ["orders", "orders-eu", "payments", "audit"];
const REGEXES = ["orders.*", "(payments|audit)", ".*", "nothing"];

interface Mix {
  readonly classic: boolean;
  readonly assignmentIntervalMs: number;
}

/** Clients come, go, crash and lose messages; topics come, grow and go; the shard is reloaded. */
class Run {
  readonly world: World;
  readonly random: Prng;
  clients: Client[] = [];
  private made = 0;
  private groupEpoch = 0;

  constructor(
    readonly seed: number,
    readonly mix: Mix,
  ) {
    this.random = new Prng(seed);
    const consumer = {
      ...DEFAULT_GROUP_SETTINGS.consumer,
      assignmentIntervalMs: mix.assignmentIntervalMs,
    };
    this.world = new World({ consumer, initialRebalanceDelayMs: 0 });
    for (const topic of TOPICS.slice(0, 3))
      this.world.topics.create(topic, this.random.between(1, 6));
  }

  step(): void {
    const { random } = this;
    const dice = random.below(100);
    if (dice < 5) this.come();
    else if (dice < 7) this.go();
    else if (dice < 8) this.crash();
    else if (dice < 11) this.changeTopics();
    else if (dice < 12) this.world.reload(random.chance(1, 2));
    else if (dice < 13) this.crashInWrite();
    else if (dice < 15) this.resubscribe();
    else if (dice < 30) this.world.pass(random.below(4_000));
    else this.act(random.pick(["none", "none", "none", "none", "request", "answer"]));
    this.check();
  }

  private act(loss: "none" | "request" | "answer"): void {
    const alive = this.clients.filter((client) => client.isAlive);
    if (alive.length === 0) return;
    const client = this.random.pick(alive);
    if (this.random.chance(2, 5)) client.work();
    else client.poll(loss);
  }

  /** The step's records reach the disk in part, and so nobody is answered. */
  private crashInWrite(): void {
    const alive = this.clients.filter((each) => each.isAlive && each instanceof ConsumerClient);
    if (alive.length === 0) return;
    const { world } = this;
    const before = world.log.length;
    this.random.pick(alive).poll("answer");
    world.log.length = this.random.between(before, world.log.length);
    world.reload();
  }

  private come(): void {
    if (this.clients.filter((client) => client.isAlive).length >= CLIENTS_MAX) return;
    const name = `c${++this.made}`;
    if (this.mix.classic && this.random.chance(1, 2)) {
      this.clients.push(new ClassicClient(this.world, name, this.pickTopics()));
      return;
    }
    const regex = this.random.chance(1, 3) ? this.random.pick(REGEXES) : null;
    const instanceId = this.random.chance(1, 3) ? `i${this.random.below(3)}` : null;
    const holds = this.clients.some(
      (client) =>
        client instanceof ConsumerClient && client.isAlive && client.instanceId === instanceId,
    );
    const free = instanceId !== null && holds ? null : instanceId;
    this.clients.push(
      new ConsumerClient(this.world, name, `${name}-id`, this.pickTopics(), regex, free),
    );
  }

  private pickTopics(): string[] {
    return TOPICS.filter(() => this.random.chance(1, 2));
  }

  private go(): void {
    const alive = this.clients.filter((client) => client.isAlive);
    if (alive.length > 0) this.random.pick(alive).leave();
  }

  private crash(): void {
    const alive = this.clients.filter((client) => client.isAlive);
    if (alive.length > 0) this.random.pick(alive).isAlive = false;
  }

  private resubscribe(): void {
    const client = this.clients.find((each) => each.isAlive && each instanceof ConsumerClient);
    if (!(client instanceof ConsumerClient)) return;
    client.subscribe(
      this.pickTopics(),
      this.random.chance(1, 4) ? this.random.pick(REGEXES) : null,
    );
  }

  private changeTopics(): void {
    const { topics } = this.world;
    const name = this.random.pick(TOPICS);
    const topicId = topics.idOf(name);
    if (topicId === undefined) topics.create(name, this.random.between(1, 6));
    else if (this.random.chance(1, 4)) {
      topics.delete(name);
      this.world.tell({ kind: "topicsDeleted", topics: [{ name, topicId }] });
      return;
    } else topics.grow(name, topics.partitionCount(name) + this.random.between(1, 3));
    this.world.tell({ kind: "topicsChanged", names: [name] });
  }

  /** Member ids of the group as the coordinator has it, of either protocol. */
  members(): Set<string> {
    const described = this.world.describe();
    if (described.errorCode === 0) {
      if (described.groupEpoch < this.groupEpoch) throw new Error("the group's epoch went back");
      this.groupEpoch = described.groupEpoch;
      return new Set(described.members.map(({ memberId }) => memberId));
    }
    const classic = this.world.call({ kind: "describeGroup", groupId: "g", version: 6 });
    // A group that is gone, or classic with nobody in it, begins anew when it comes back.
    if (classic.members.length === 0) this.groupEpoch = 0;
    return new Set(classic.members.map(({ memberId }) => memberId));
  }

  check(): void {
    this.world.shard.checkInvariants();
    const members = this.members();
    const owners = new Map<string, string>();
    for (const client of this.clients) {
      // Who the coordinator has given up is fenced with its next word; its commits are refused.
      if (!members.has(client.memberId)) continue;
      for (const key of client.owned) {
        const other = owners.get(key);
        if (other !== undefined) throw new Error(`${key} is owned by ${other} and ${client.name}`);
        owners.set(key, client.name);
      }
    }
  }

  /** No faults from here on: everybody speaks in turn, and the crashed are timed out. */
  heal(): void {
    for (let round = 0; round < 140; round++) {
      for (const client of this.clients) {
        if (!client.isAlive) continue;
        client.poll("none");
        client.work();
        this.check();
      }
      this.world.pass(1_000);
    }
  }

  expectSettled(): void {
    const alive = this.clients.filter((client) => client.isAlive);
    const owned = alive.flatMap((client) => [...client.owned]);
    expect(new Set(owned).size).toBe(owned.length);
    expect(this.members()).toEqual(new Set(alive.map((client) => client.memberId)));
    const described = sorted(this.world.describe());
    if (described.errorCode === 0 && alive.length > 0) {
      expect(described.groupState).toBe("Stable");
      for (const member of described.members) {
        expect(member.assignment).toEqual(member.targetAssignment);
        const client = alive.find(({ memberId }) => memberId === member.memberId);
        const listed = member.assignment.topicPartitions.flatMap(({ topicId, partitions }) =>
          partitions.map((partition) => `${topicId} ${partition}`),
        );
        expect([...(client?.owned ?? [])].sort()).toEqual(listed.sort());
      }
    }
    // Everything that anybody subscribes to is read by somebody.
    for (const name of TOPICS) {
      const topicId = this.world.topics.idOf(name);
      const isSubscribed = described.members.some((member) =>
        member.subscribedTopicNames.includes(name),
      );
      if (!isSubscribed || topicId === undefined) continue;
      for (let partition = 0; partition < this.world.topics.partitionCount(name); partition++) {
        expect(owned).toContain(`${topicId} ${partition}`);
      }
    }
    if (alive.length > 0) expect(this.world.asked.size).toBe(0);
  }
}

type Described = ReturnType<World["describe"]>;
type Held = Described["members"][number]["assignment"];

/** Members and topics in an order that does not depend on who came first. */
function sorted(described: Described): Described {
  const byTopic = ({ topicPartitions }: Held): Held => ({
    topicPartitions: topicPartitions.toSorted((a, b) => (a.topicId < b.topicId ? -1 : 1)),
  });
  const members = described.members.map((member) => ({
    ...member,
    assignment: byTopic(member.assignment),
    targetAssignment: byTopic(member.targetAssignment),
  }));
  return { ...described, members: members.toSorted((a, b) => (a.memberId < b.memberId ? -1 : 1)) };
}

const mixes: readonly (readonly [string, Mix])[] = [
  ["consumers", { classic: false, assignmentIntervalMs: 0 }],
  ["consumers whose targets wait for an interval", { classic: false, assignmentIntervalMs: 1_000 }],
  ["consumers of both protocols", { classic: true, assignmentIntervalMs: 0 }],
];

test.each(mixes)(
  "random runs of %s: one owner each, and a healed group settles",
  (_, mix) => {
    const base = Number(process.env["MANTOU_SEED"] ?? 1);
    for (let seed = base; seed < base + SEEDS; seed++) {
      const run = new Run(seed, mix);
      try {
        for (let step = 0; step < STEPS; step++) run.step();
        run.heal();
        run.expectSettled();
        // What the log tells is what the shard has.
        const before = sorted(run.world.describe());
        run.world.reload(run.random.chance(1, 2));
        expect(sorted(run.world.describe())).toEqual(before);
      } catch (error) {
        throw new Error(`MANTOU_SEED=${seed}: ${(error as Error).message}`, { cause: error });
      }
    }
  },
  120_000,
);
