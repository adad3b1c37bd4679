import {
  ErrorCode,
  encodeBatch,
  errorName,
  findCoordinatorApi,
  initProducerIdApi,
  produceApi,
} from "@mantou/protocol";
import type { World } from "../actor.ts";
import { Actor } from "../actor.ts";
import { NoAnswer } from "../clients/connection.ts";
import { fetchCommitted } from "../clients/offsets.ts";
import type { Position } from "../clients/fetching.ts";
import { positionsOf } from "../clients/fetching.ts";
import { recordsOf, verdictOf } from "../clients/producing.ts";
import type { Holder } from "../clients/transactions.ts";
import {
  LostTransaction,
  NEW_FLOW,
  OLD_FLOW,
  addGroup,
  addPartitions,
  commitInTransaction,
  endTransaction,
  settleError,
} from "../clients/transactions.ts";
import type { Send, TopicLife, Transaction, Where } from "../history.ts";
import { newSend } from "../history.ts";
import { isPassing } from "./group-member.ts";

const GROUP_KEY = 0;
const TRANSACTION_KEY = 1;
export interface Lane {
  readonly topic: TopicLife;
  readonly partition: number;
  readonly where: Where;
  sequence: number;
  count: number;
}

/**
 * A client with a transactional id. A crashed one leaves its transaction open; one that is only
 * thought to be dead goes on as a zombie beside its successor.
 */
export abstract class TransactionActor extends Actor {
  readonly isWriter = true;
  private readonly flow: typeof NEW_FLOW | typeof OLD_FLOW;
  private readonly group: string;
  private readonly timeoutMs: number;
  private holder: Holder;
  protected lanes: Lane[] = [];
  private isReplaced = false;
  /** What its group had committed when it was identified last. */
  protected committed: ReadonlyMap<Where, number> = new Map();

  constructor(
    world: World,
    name: string,
    seed: number,
    private readonly transactionalId: string,
  ) {
    super(world, name, seed);
    this.flow = this.prng.chance(1, 2) ? NEW_FLOW : OLD_FLOW;
    this.group = `offsets-of-${transactionalId}`;
    this.timeoutMs = this.prng.between(1_000, 8_000);
    this.holder = { transactionalId, producerId: -1, producerEpoch: -1 };
  }

  override crash(): void {
    if (this.prng.chance(1, 2)) {
      this.world.trace.add(this.name, "is thought to be dead");
      this.isReplaced = true;
      return;
    }
    super.crash();
    // Nobody may come to end what it has left open: then its timeout has to.
    if (this.prng.chance(1, 2)) this.successor = null;
  }

  protected async run(): Promise<void> {
    await this.identify();
    while (this.isBusy) {
      try {
        await this.one();
      } catch (error) {
        if (!(error instanceof LostTransaction)) throw error;
        this.world.trace.add(this.name, `has lost its transaction: ${error.message}`);
        if (this.isReplaced) return;
        await this.identify();
      }
      await this.pause(10, 300);
    }
  }

  private version([low, high]: readonly [number, number]): number {
    return this.prng.between(low, high);
  }

  /** Does one step until it is answered. Throws LostTransaction. */
  protected async persist<T>(step: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await step();
      } catch (error) {
        if (!(error instanceof NoAnswer)) throw error;
        await this.pause();
      }
    }
  }

  private async identify(): Promise<void> {
    const { transactionalId } = this;
    await this.persist(async () => {
      await this.findCoordinator(TRANSACTION_KEY, transactionalId);
      await this.findCoordinator(GROUP_KEY, this.group);
      const connection = await this.connected();
      const given = await connection.ask(initProducerIdApi, this.prng.between(0, 5), {
        transactionalId,
        transactionTimeoutMs: this.timeoutMs,
      });
      settleError(given.errorCode);
      const { producerId, producerEpoch } = given;
      this.holder = { transactionalId, producerId, producerEpoch };
    });
    const { history } = this.world;
    history.identified.push({ transactionalId, by: this.name, answered: history.moment() });
    this.newLanes();
    await this.lookAtOffsets();
  }

  private async findCoordinator(keyType: number, key: string): Promise<void> {
    const connection = await this.connected();
    const found = await connection.ask(findCoordinatorApi, 4, { keyType, coordinatorKeys: [key] });
    const errorCode = found.coordinators[0]?.errorCode ?? ErrorCode.UNKNOWN_SERVER_ERROR;
    if (isPassing(errorCode)) throw new NoAnswer(errorName(errorCode));
  }

  private newLanes(): void {
    const counts = new Map(this.lanes.map(({ where, count }) => [where, count]));
    this.lanes = positionsOf(this.world, this.outputs).map(({ topic, partition, where }) => ({
      topic,
      partition,
      where,
      sequence: 0,
      count: counts.get(where) ?? 0,
    }));
  }

  /** What the group has committed is what its last committed transactions say. */
  private async lookAtOffsets(): Promise<void> {
    const { world, name, group } = this;
    const committer = { world, name, group, memberId: "", generation: -1 };
    await this.persist(async () => {
      const connection = await this.connected();
      const version = this.prng.between(7, 9);
      const positions = positionsOf(this.world, this.inputs);
      const found = await fetchCommitted(committer, connection, positions, version, 5_000);
      if (typeof found !== "number") {
        this.committed = found;
        return;
      }
      if (isPassing(found)) throw new NoAnswer(errorName(found));
      world.defect(`${name}: OffsetFetch answered ${errorName(found)}`);
    });
  }

  /** One transaction, or none. Throws LostTransaction. */
  protected abstract one(): Promise<void>;

  /** Topics whose offsets it commits, and those that it writes to. */
  protected abstract readonly inputs: readonly string[];
  protected abstract readonly outputs: readonly string[];

  protected begin(): Transaction {
    const transaction: Transaction = {
      by: this.name,
      ...this.holder,
      began: this.world.history.moment(),
      sends: [],
      group: this.group,
      offsets: new Map(),
      outcome: "unknown",
      asked: null,
      endAsked: Infinity,
      endAnswered: Infinity,
    };
    this.world.history.transactions.push(transaction);
    return transaction;
  }

  /** Writes a batch, a record for each key. */
  protected async write(
    transaction: Transaction,
    lane: Lane,
    keys: readonly (string | null)[],
    added: Set<Where>,
  ): Promise<void> {
    if (this.flow === OLD_FLOW && !added.has(lane.where)) {
      await this.persist(async () => {
        const connection = await this.connected();
        await addPartitions(connection, this.prng.between(0, 3), this.holder, [lane]);
      });
      added.add(lane.where);
    }
    const sends = this.records(transaction, lane, keys);
    const { transactionalId, producerId, producerEpoch } = this.holder;
    const records = encodeBatch(recordsOf(sends, this.world.time.clock.wallMs()), {
      producerId,
      producerEpoch,
      baseSequence: lane.sequence,
      transactional: true,
    });
    lane.sequence += sends.length;
    const { topic, partition } = lane;
    await this.persist(async () => {
      const connection = await this.connected();
      const version = this.version(this.flow.produce);
      const asked = this.world.history.moment();
      for (const send of sends) send.asked = asked;
      const { responses } = await connection.ask(produceApi, version, {
        transactionalId,
        acks: -1,
        timeoutMs: 5_000,
        topicData: [
          {
            name: topic.name,
            topicId: topic.topicId,
            partitionData: [{ index: partition, records }],
          },
        ],
      });
      const verdict = verdictOf(responses, lane, version);
      if (verdict === null) throw new Error("no verdict on a transaction's batch");
      if (verdict.errorCode !== ErrorCode.DUPLICATE_SEQUENCE_NUMBER) {
        settleError(verdict.errorCode);
      }
      for (const [index, send] of sends.entries()) {
        send.outcome = "acked";
        if (verdict.offset >= 0) send.offset = verdict.offset + index;
      }
    });
  }

  private records(transaction: Transaction, lane: Lane, keys: readonly (string | null)[]): Send[] {
    const { where } = lane;
    const { name: by } = this;
    const sends = keys.map((key) => {
      const value = `t${this.world.nextValue()}`;
      return newSend({ value, key, where, by, order: lane.count++, transaction });
    });
    this.world.history.sends.push(...sends);
    transaction.sends.push(...sends);
    return sends;
  }

  protected async commitOffset(
    transaction: Transaction,
    position: Position,
    offset: number,
  ): Promise<void> {
    if (this.flow === OLD_FLOW) {
      await this.persist(async () => {
        const connection = await this.connected();
        await addGroup(connection, this.prng.between(0, 3), this.holder, this.group);
      });
    }
    transaction.offsets.set(position.where, offset);
    await this.persist(async () => {
      const connection = await this.connected();
      const version = this.version(this.flow.offsets);
      const offsets = [{ ...position, offset }];
      await commitInTransaction(connection, version, this.holder, this.group, offsets);
    });
  }

  protected async end(transaction: Transaction, commits: boolean): Promise<void> {
    const { history } = this.world;
    transaction.endAsked = history.moment();
    let unanswered = 0;
    await this.persist(async () => {
      const connection = await this.connected();
      const version = this.version(this.flow.end);
      transaction.asked = commits ? "commit" : "abort";
      try {
        const next = await endTransaction(connection, version, this.holder, commits);
        transaction.outcome = commits ? "committed" : "aborted";
        transaction.endAnswered = history.moment();
        if (next.producerEpoch !== this.holder.producerEpoch) {
          for (const lane of this.lanes) lane.sequence = 0;
        }
        this.holder = next;
      } catch (error) {
        if (error instanceof NoAnswer) unanswered += 1;
        // Refused, and never asked for before: it was not carried out.
        else if (unanswered === 0) transaction.asked = null;
        throw error;
      }
    });
  }
}
