import { expect, test } from "bun:test";
import { Prng } from "@mantou/base";
import { ErrorCode } from "@mantou/protocol";
import type { ProducerReply, TransactionReply } from "../src/index.ts";
import { EPOCH_USABLE_MAX, defaultTransactionOptions, encodeTransaction } from "../src/index.ts";
import { newTransaction } from "../src/transaction.ts";
import { ShardHost } from "./shard-host.ts";

/**
 * Clients of both flows, zombies and late requests among them, a coordinator that crashes, and
 * partitions that take writes and markers. Whatever happens: a transaction ends everywhere in the
 * same way, in the way its client was told, and once all is healed none is open.
 */

interface Written {
  readonly transaction: string;
  outcome: "open" | "committed" | "aborted";
}

/** A partition as its leader keeps it: the rules for markers are those of replication. */
class ModelPartition {
  readonly writes: Written[] = [];
  private readonly producers = new Map<number, { epoch: number; open: Written[] }>();

  write(producerId: number, epoch: number, transaction: string): void {
    const known = this.producers.get(producerId) ?? { epoch, open: [] };
    if (epoch < known.epoch) return;
    const written: Written = { transaction, outcome: "open" };
    this.writes.push(written);
    this.producers.set(producerId, { epoch, open: [...known.open, written] });
  }

  isOpen(producerId: number, epoch: number): boolean {
    const known = this.producers.get(producerId);
    return known !== undefined && known.epoch === epoch && known.open.length > 0;
  }

  mark(producerId: number, epoch: number, isCommit: boolean, version: number): void {
    const known = this.producers.get(producerId);
    if (known !== undefined) {
      if (epoch < known.epoch) return;
      if (epoch === known.epoch && known.open.length > 0 && version >= 2) return;
      for (const written of known.open) written.outcome = isCommit ? "committed" : "aborted";
    }
    this.producers.set(producerId, { epoch, open: [] });
  }
}

interface EndRequest {
  readonly transaction: string;
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly isCommit: boolean;
}

class World {
  readonly host = new ShardHost({
    ...defaultTransactionOptions,
    concurrentWaitMs: 50,
    sweepIntervalMs: 100,
  });
  readonly partitions = Array.from({ length: 4 }, () => new ModelPartition());
  /** What a client was told of its transaction. */
  readonly told = new Map<string, boolean>();
  readonly clients: ModelClient[];
  private nextProducerId = 100;
  private late: (() => void)[] = [];

  constructor(readonly prng: Prng) {
    // Some ids have few epochs left, so that they are used up within a run.
    for (const transactionalId of ["id-0", "id-1"]) {
      const known = newTransaction(transactionalId);
      known.producerId = this.nextProducerId++;
      known.producerEpoch = EPOCH_USABLE_MAX - 4;
      this.host.log.push(encodeTransaction(known, 1));
    }
    this.host.flush();
    this.host.crash();
    const flows = [0, 2, 0, 2] as const;
    // Two processes under each id: one of them is a zombie most of the time.
    this.clients = flows.flatMap((flow, index) =>
      [0, 1].map((life) => new ModelClient(this, `id-${index}`, flow, `${index}.${life}`)),
    );
  }

  step(): void {
    const { host, prng } = this;
    const choice = prng.below(100);
    if (choice < 60) prng.pick(this.clients).act();
    else if (choice < 75) host.flush();
    else if (choice < 90) this.serve(prng.below(10) < 8);
    else if (choice < 95) {
      host.nowMs += prng.below(60);
      host.fireTimers();
    } else if (choice < 97 && this.late.length > 0) {
      // What was sent long ago arrives now.
      this.late.splice(prng.below(this.late.length), 1)[0]?.();
    } else if (choice === 99) host.crash();
    if (this.late.length > 50) this.late.splice(0, 25);
  }

  /** Carries out one request of the coordinator, perhaps only in part. */
  serve(isWhole: boolean): void {
    const { host, prng } = this;
    const request = host.requests.shift();
    if (request === undefined) return;
    if (request.kind === "giveProducerId") {
      const { command, ticket } = request;
      host.tell({
        kind: "producerIdGiven",
        ticket,
        command,
        freshProducerId: isWhole ? this.nextProducerId++ : null,
      });
      return;
    }
    const { isCommit, producerEpoch, producerId, topics, transactionalId } = request;
    const version = request.transactionVersion;
    const partitions = topics.flatMap((topic) => topic.partitions);
    const some = isWhole ? partitions : partitions.filter(() => prng.below(2) === 0);
    for (const partition of some) {
      this.partitions[partition]?.mark(producerId, producerEpoch, isCommit, version);
    }
    // A marker that is sent twice, and news of it that comes twice or late.
    const news = (): void =>
      host.tell({
        kind: "markersWritten",
        transactionalId,
        producerId,
        producerEpoch,
        topics: [{ topic: "t", partitions: some }],
      });
    news();
    if (prng.below(4) === 0) this.late.push(news);
    // In the old flow a marker that comes late would end the next transaction: only the broker's
    // not sending any late one keeps it right (KIP-890).
    if (version >= 2 && prng.below(4) === 0) {
      this.late.push(() => {
        for (const partition of some) {
          this.partitions[partition]?.mark(producerId, producerEpoch, isCommit, version);
        }
      });
    }
    const left = partitions.filter((partition) => !some.includes(partition));
    if (left.length > 0) {
      host.requests.push({ ...request, topics: [{ topic: "t", partitions: left }] });
    }
  }

  keepForLater(send: () => void): void {
    if (this.prng.below(5) === 0) this.late.push(send);
  }

  heal(): void {
    this.late = [];
    for (let round = 0; round < 200; round += 1) {
      this.host.nowMs += 1000;
      this.host.flush();
      this.host.fireTimers();
      while (this.host.requests.length > 0) this.serve(true);
    }
    this.host.flush();
  }
}

/** What a process knows that holds a transactional id. */
class ModelClient {
  private producerId = -1;
  private producerEpoch = -1;
  private transaction: string | null = null;
  private added = new Set<number>();
  private count = 0;
  private waits = false;
  /** It has asked for this end, and until it is told more it can only ask again. */
  private ending: boolean | null = null;

  constructor(
    private readonly world: World,
    private readonly transactionalId: string,
    private readonly flow: 0 | 2,
    private readonly name: string,
  ) {}

  act(): void {
    if (this.waits) return;
    const { prng } = this.world;
    if (this.producerId < 0 || prng.below(25) === 0) this.init();
    else if (this.ending !== null) this.end(this.ending);
    else if (this.transaction === null) {
      this.transaction = `${this.name}/${this.count++}`;
      this.added.clear();
    } else if (prng.below(3) === 0) this.end(prng.below(3) > 0);
    else this.write(prng.below(4));
  }

  private ask(
    command: Parameters<ShardHost["ask"]>[0],
    then: (reply: TransactionReply | null) => void,
  ): void {
    this.waits = true;
    this.world.host.ask(command, (reply) => {
      this.waits = false;
      then(reply);
    });
  }

  private init(): void {
    const { transactionalId } = this;
    const isResume = this.producerId >= 0 && this.world.prng.below(3) === 0;
    this.ask(
      {
        kind: "initProducerId",
        transactionalId,
        timeoutMs: 300,
        producerId: isResume ? this.producerId : -1,
        producerEpoch: isResume ? this.producerEpoch : -1,
      },
      (reply) => {
        const { errorCode, producerEpoch, producerId } = (reply ?? {}) as ProducerReply;
        this.transaction = null;
        this.ending = null;
        if (errorCode !== ErrorCode.NONE) return;
        expect(producerEpoch).toBeLessThanOrEqual(EPOCH_USABLE_MAX);
        this.producerId = producerId;
        this.producerEpoch = producerEpoch;
      },
    );
  }

  /** Adds the partition where need be, then writes: what the partition's leader sees to. */
  private write(partition: number): void {
    const { producerEpoch, producerId, transaction, transactionalId, world } = this;
    const log = world.partitions[partition] as ModelPartition;
    const append = (): void => log.write(producerId, producerEpoch, transaction as string);
    const isAdded = this.flow === 0 && this.added.has(partition);
    if ((this.flow === 2 || isAdded) && log.isOpen(producerId, producerEpoch)) {
      append();
      return;
    }
    const topics = [{ topic: "t", partitions: [partition] }];
    const ids = { transactionalId, producerId, producerEpoch, topics };
    // In the old flow the leader asks whether the partition is there, in the new one it adds it.
    this.ask(
      isAdded
        ? { kind: "verifyPartitions", ...ids }
        : { kind: "addPartitions", ...ids, clientVersion: this.flow },
      (reply) => {
        if (reply?.kind !== "partitions" || reply.errorCode !== ErrorCode.NONE) return;
        if (reply.refused.length > 0) return;
        if (this.flow === 0 && !isAdded) this.added.add(partition);
        else append();
      },
    );
  }

  private end(isCommit: boolean): void {
    const { producerEpoch, producerId, world } = this;
    const transaction = this.transaction as string;
    const request = { transaction, producerId, producerEpoch, isCommit };
    this.ending = isCommit;
    // Only the new flow tells a late end from that of the transaction behind it.
    if (this.flow === 2) world.keepForLater(() => this.send(request, () => {}));
    this.waits = true;
    this.send(request, (reply) => {
      this.waits = false;
      if (reply === null) return;
      const { errorCode } = reply;
      if (errorCode === ErrorCode.CONCURRENT_TRANSACTIONS) return;
      if (errorCode === ErrorCode.NONE) {
        world.told.set(transaction, isCommit);
        if (this.flow === 2) {
          this.producerId = reply.producerId;
          this.producerEpoch = reply.producerEpoch;
        }
      } else this.producerId = -1;
      this.ending = null;
      this.transaction = null;
    });
  }

  private send(request: EndRequest, settle: (reply: ProducerReply | null) => void): void {
    const { isCommit, producerEpoch, producerId } = request;
    this.world.host.ask(
      {
        kind: "endTransaction",
        transactionalId: this.transactionalId,
        producerId,
        producerEpoch,
        isCommit,
        clientVersion: this.flow,
      },
      (reply) => settle(reply as ProducerReply | null),
    );
  }
}

function check(world: World, isHealed: boolean): void {
  const outcomes = new Map<string, Set<string>>();
  for (const { writes } of world.partitions) {
    for (const { outcome, transaction } of writes) {
      const seen = outcomes.get(transaction) ?? new Set();
      if (outcome !== "open" || isHealed) seen.add(outcome);
      outcomes.set(transaction, seen);
    }
  }
  for (const [transaction, seen] of outcomes) {
    expect([transaction, [...seen].join()]).toEqual([transaction, [...seen][0] ?? ""]);
    expect(seen.has("open")).toBe(false);
    const told = world.told.get(transaction);
    if (told !== undefined && seen.size > 0) {
      expect([transaction, [...seen][0]]).toEqual([transaction, told ? "committed" : "aborted"]);
    }
  }
}

const RUNS = process.env["MANTOU_LONG"] === "1" ? 2000 : 150;

test("transactions end everywhere in the way their clients were told, whatever happens", () => {
  const seed = Number(process.env["MANTOU_SEED"] ?? 11);
  let committed = 0;
  for (let run = 0; run < RUNS; run += 1) {
    const world = new World(new Prng(seed * 100_000 + run));
    try {
      for (let step = 0; step < 400; step += 1) {
        world.step();
        if (step % 50 === 0) check(world, false);
      }
      world.heal();
      check(world, true);
    } catch (error) {
      throw new Error(`seed ${seed}, run ${run}: ${String(error)}`, { cause: error });
    }
    committed += [...world.told.values()].filter(Boolean).length;
  }
  expect(committed).toBeGreaterThan(RUNS * 2);
}, 120_000);
