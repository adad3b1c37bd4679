import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Client } from "@mantou/client";
import { BrokerProcess, temporaryFolder } from "../../processes/broker-process.ts";
import { faultsOf } from "./ledger.ts";
import { GroupMember, type MemberOptions, memberFamilies } from "./member.ts";
import { waitFor } from "./wait-for.ts";

/** Members of each client come, go and die while records arrive; nothing is lost or doubled. */
const folder = temporaryFolder();
/** Another broker, such as Apache's, with these settings: it must pass as well. */
const elsewhere = process.env["MANTOU_OTHER_BROKER"];
let broker: BrokerProcess | null = null;
let bootstrap = elsewhere ?? "";
let ours: Client;

beforeAll(async () => {
  if (elsewhere === undefined) broker = await startBroker();
  bootstrap = broker?.address ?? bootstrap;
  ours = await Client.connect({ brokers: bootstrap });
});

const startBroker = (): Promise<BrokerProcess> =>
  BrokerProcess.start({
    dataDirectory: folder.path,
    flags: [
      // Nobody waits for members that are not there, or long for those that died.
      ...["--set", "group.initial.rebalance.delay.ms=0"],
      ...["--set", "group.min.session.timeout.ms=1000"],
      ...["--set", "group.consumer.session.timeout.ms=6000"],
      ...["--set", "group.consumer.min.session.timeout.ms=1000"],
      ...["--set", "group.consumer.heartbeat.interval.ms=500"],
      ...["--set", "group.consumer.min.heartbeat.interval.ms=100"],
    ],
  });

afterAll(async () => {
  ours?.abort();
  await broker?.stop();
  folder[Symbol.dispose]();
});

const PARTITIONS = 6;
const SESSION_TIMEOUT_MS = 6000;
const TEST_MS_MAX = 240_000;

for (const family of memberFamilies) {
  const program = await family.find();
  if ("skip" in program) {
    test.skip(`${family.name}: ${program.skip}`, () => {});
    continue;
  }
  const start = (options: MemberOptions): Promise<GroupMember> =>
    GroupMember.start(program, options);
  describe(family.name, () => {
    for (const protocol of family.protocols) {
      test(
        `${protocol}: members come, go and die`,
        () => comeAndGo(start, protocol, family.rereads),
        TEST_MS_MAX,
      );
    }
    if (!family.isComplete) return;
    test("a static member comes back to what it had", () => comeBack(start), TEST_MS_MAX);
    test("the cooperative assignor takes only what moves", () => cooperate(start), TEST_MS_MAX);
  });
}

type Start = (options: MemberOptions) => Promise<GroupMember>;

/** A topic that records come to, and a group on it. */
class Scene {
  readonly topic = `g-${crypto.randomUUID()}`;
  readonly group = `group-${crypto.randomUUID()}`;
  readonly members: GroupMember[] = [];
  private readonly stopped = new AbortController();
  private producing: Promise<void> = Promise.resolve();

  constructor(
    private readonly starting: Start,
    private readonly protocol: MemberOptions["protocol"],
  ) {}

  async open(): Promise<void> {
    await ours.admin.createTopic({ name: this.topic, partitions: PARTITIONS });
    this.producing = this.produce();
  }

  async join(options: Partial<MemberOptions> = {}): Promise<GroupMember> {
    const member = await this.starting({
      bootstrap,
      group: this.group,
      topic: this.topic,
      protocol: this.protocol,
      instance: null,
      isCooperative: false,
      sessionTimeoutMs: SESSION_TIMEOUT_MS,
      ...options,
    });
    this.members.push(member);
    return member;
  }

  /** Waits until these members hold all partitions between them, so many each. */
  holds(counts: ReadonlyMap<GroupMember, number>): Promise<void> {
    const isSo = (): boolean => {
      const all = [...counts.keys()].flatMap((member) => member.partitions);
      return (
        new Set(all).size === PARTITIONS &&
        all.length === PARTITIONS &&
        [...counts].every(([member, count]) => member.partitions.length === count)
      );
    };
    return waitFor(isSo, () => this.members.map((member) => member.words).join("\n"));
  }

  /** Ends the producing, waits until everything is committed, and checks what was read. */
  async close({ leaves = true, rereads = false } = {}): Promise<void> {
    this.stopped.abort();
    await this.producing;
    const ends = await Promise.all(
      Array.from({ length: PARTITIONS }, async (_, partition) => {
        return (await ours.admin.listOffset(this.topic, partition, "latest")).offset;
      }),
    );
    const isThrough = async (): Promise<boolean> => {
      const offsets = await ours.groups.offsets(this.group);
      const of = new Map(offsets.map(({ partition, offset }) => [partition, offset]));
      return ends.every((end, partition) => end === (of.get(partition) ?? 0));
    };
    await waitFor(isThrough, () => this.members.map((member) => member.words).join("\n"));
    await Promise.all(this.members.map((member) => member.stop()));
    expect(faultsOf(this.members, ends, rereads)).toEqual([]);
    expect(ends.every((end) => end > 0)).toBe(true);
    if (!leaves) return;
    const { state, members } = await ours.groups.describe(this.group);
    expect([state, members]).toEqual(["Empty", []]);
  }

  /** A few hundred records a second, in every partition. */
  private async produce(): Promise<void> {
    const producer = ours.producer();
    for (let sequence = 0; !this.stopped.signal.aborted; sequence += 1) {
      await Promise.all(
        Array.from({ length: PARTITIONS }, (_, partition) =>
          producer.send({ topic: this.topic, partition, value: `${sequence}` }),
        ),
      );
      await Bun.sleep(10);
    }
    await producer.close();
  }
}

async function comeAndGo(
  start: Start,
  protocol: MemberOptions["protocol"],
  rereads = false,
): Promise<void> {
  const scene = new Scene(start, protocol);
  await scene.open();
  const first = await scene.join();
  await scene.holds(new Map([[first, 6]]));
  const second = await scene.join();
  await scene.holds(
    new Map([
      [first, 3],
      [second, 3],
    ]),
  );
  const third = await scene.join();
  await scene.holds(
    new Map([
      [first, 2],
      [second, 2],
      [third, 2],
    ]),
  );
  await first.kill();
  await scene.holds(
    new Map([
      [second, 3],
      [third, 3],
    ]),
  );
  await second.stop();
  await scene.holds(new Map([[third, 6]]));
  await third.stop();
  // Nobody is there for a while; whoever comes goes on where they stopped.
  const fourth = await scene.join();
  await scene.holds(new Map([[fourth, 6]]));
  await scene.close({ rereads });
}

async function comeBack(start: Start): Promise<void> {
  const scene = new Scene(start, "classic");
  await scene.open();
  const stays = await scene.join({ instance: "stays", sessionTimeoutMs: 60_000 });
  await scene.holds(new Map([[stays, 6]]));
  const goes = await scene.join({ instance: "goes", sessionTimeoutMs: 60_000 });
  await scene.holds(
    new Map([
      [stays, 3],
      [goes, 3],
    ]),
  );
  const before = goes.partitions;
  const assignments = stays.assignments;
  await goes.kill();
  const back = await scene.join({ instance: "goes", sessionTimeoutMs: 60_000 });
  await waitFor(
    () => back.partitions.length === 3,
    () => back.words,
  );
  expect(back.partitions).toEqual(before);
  // The other one was not disturbed.
  expect(stays.assignments).toBe(assignments);
  // Who has a name does not leave when it stops.
  await scene.close({ leaves: false });
}

async function cooperate(start: Start): Promise<void> {
  const scene = new Scene(start, "classic");
  await scene.open();
  const first = await scene.join({ isCooperative: true });
  await scene.holds(new Map([[first, 6]]));
  const second = await scene.join({ isCooperative: true });
  await scene.holds(
    new Map([
      [first, 3],
      [second, 3],
    ]),
  );
  expect(first.revoked).toHaveLength(3);
  await scene.close();
}
