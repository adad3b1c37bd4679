import type { Clock } from "@mantou/base";
import type { BrokerConfig, CatalogImage } from "@mantou/catalog";
import { ErrorCode } from "@mantou/protocol";
import type {
  TransactionCommand,
  TransactionOptions,
  TransactionReply,
  TransactionRequest,
} from "@mantou/transactions";
import { TransactionShard, transactionStateName } from "@mantou/transactions";
import type { CoordinatorDriver } from "../coordinators/coordinator-driver.ts";
import type { Coordinators } from "../coordinators/coordinators.ts";
import { TRANSACTION_STATE } from "../coordinators/internal-topics.ts";
import { coordinatorPartition } from "../coordinators/placement.ts";
import type { TransactionFigures } from "../metrics/figures.ts";
import type { MarkerSender } from "./marker-sender.ts";

export interface TransactionCoordinatorParts {
  readonly clock: Clock;
  readonly coordinators: Coordinators;
  readonly config: () => BrokerConfig;
  readonly image: () => CatalogImage;
  readonly sender: MarkerSender;
  readonly nextProducerId: () => Promise<number>;
  readonly flushSoon: () => void;
}

export type TransactionSettle = (errorCode: ErrorCode, reply: TransactionReply | null) => void;

/** From this level of transaction.version on, values are written in their flexible form. */
const FLEXIBLE_RECORDS_LEVEL = 1;

/** Transactional ids: who coordinates which of them, and what their shards want done. */
export class TransactionCoordinator {
  readonly driver: CoordinatorDriver<TransactionCommand, TransactionReply, TransactionRequest>;

  constructor(private readonly parts: TransactionCoordinatorParts) {
    this.driver = parts.coordinators.add<TransactionCommand, TransactionReply, TransactionRequest>({
      topic: TRANSACTION_STATE,
      newShard: (_partition, leaderEpoch) => new TransactionShard(this.options(), leaderEpoch),
      request: (request, partition) => this.carryOut(request, partition),
    });
  }

  /** The partition that coordinates a transactional id; -1 while the topic does not exist. */
  partitionOf(transactionalId: string): number {
    const topic = this.parts.image().topicByName(TRANSACTION_STATE);
    return topic === undefined ? -1 : coordinatorPartition(transactionalId, topic.partitionCount);
  }

  /** Asks the id's shard; `settle` is called once, now or in a later tick. */
  ask(transactionalId: string, command: TransactionCommand, settle: TransactionSettle): void {
    const partition = this.partitionOf(transactionalId);
    if (partition < 0) settle(ErrorCode.NOT_COORDINATOR, null);
    else this.driver.ask(partition, command, settle);
  }

  askPartition(partition: number, command: TransactionCommand, settle: TransactionSettle): void {
    this.driver.ask(partition, command, settle);
  }

  activePartitions(): readonly number[] | null {
    return this.driver.figures().loading > 0 ? null : this.driver.activePartitions();
  }

  figures(): Pick<TransactionFigures, "states" | "oldestMs"> {
    const states = new Map<string, number>();
    const nowMs = this.parts.clock.wallMs();
    let oldestMs = 0;
    for (const shard of this.driver.shards()) {
      for (const { startMs, state } of (shard as TransactionShard).list()) {
        const name = transactionStateName(state);
        states.set(name, (states.get(name) ?? 0) + 1);
        if (name === "Ongoing") oldestMs = Math.max(oldestMs, nowMs - startMs);
      }
    }
    return { states, oldestMs };
  }

  private carryOut(request: TransactionRequest, partition: number): void {
    const { nextProducerId, sender } = this.parts;
    if (request.kind === "sendMarkers") {
      sender.send(
        request,
        (command) => this.driver.tell(partition, command),
        () => this.driver.availability(partition) !== ErrorCode.NOT_COORDINATOR,
      );
      return;
    }
    const { command, ticket } = request;
    const give = (freshProducerId: number | null): void => {
      this.driver.tell(partition, { kind: "producerIdGiven", ticket, command, freshProducerId });
      // Outside of a tick, and a refusal writes nothing that would begin one.
      this.parts.flushSoon();
    };
    nextProducerId().then(give, () => give(null));
  }

  private options(): TransactionOptions {
    const { transactions } = this.parts.config();
    const level = this.parts.image().features.get("transaction.version") ?? 0;
    return {
      timeoutMaxMs: transactions.timeoutMaxMs,
      idExpirationMs: transactions.idExpirationMs,
      sweepIntervalMs: transactions.sweepIntervalMs,
      expireIntervalMs: transactions.expireIntervalMs,
      idsMax: transactions.idsPerPartitionMax,
      partitionsMax: transactions.partitionsMax,
      concurrentWaitMs: transactions.concurrentWaitMs,
      recordVersion: level >= FLEXIBLE_RECORDS_LEVEL ? 1 : 0,
    };
  }
}
