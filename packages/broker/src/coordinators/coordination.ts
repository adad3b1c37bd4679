import type { Clock, LogId } from "@mantou/base";
import type { BrokerConfig, CatalogImage } from "@mantou/catalog";
import type { Io } from "@mantou/io";
import type { PartitionTable, ProducerStates } from "@mantou/replication";
import type { Ambient } from "../ambient.ts";
import type { BrokerFigures } from "../metrics/figures.ts";
import type { ControllerPort } from "../handler.ts";
import type { Route } from "../handlers/produce.ts";
import { MarkerSender } from "../transactions/marker-sender.ts";
import { MarkerWriter } from "../transactions/marker-writer.ts";
import { TransactionCoordinator } from "../transactions/transaction-coordinator.ts";
import type { BatchLimits } from "./coordinator-kind.ts";
import { Coordinators } from "./coordinators.ts";
import { GroupCoordinator } from "./group-coordinator.ts";
import { InternalTopics } from "./internal-topics.ts";

export interface CoordinationParts {
  readonly io: Io;
  readonly ambient: Ambient;
  readonly clock: Clock;
  readonly partitions: PartitionTable;
  readonly producers: ProducerStates;
  readonly controller: ControllerPort;
  readonly config: () => BrokerConfig;
  readonly image: () => CatalogImage;
  readonly limitsOf: (logId: LogId) => BatchLimits;
  readonly resolve: (topic: string, usesId: boolean, partition: number) => Route;
  readonly nextProducerId: () => Promise<number>;
  readonly flushSoon: () => void;
}

/** Groups, transactions, and all that they need of this broker: put together in one place. */
export class Coordination {
  readonly coordinators: Coordinators;
  readonly groups: GroupCoordinator;
  readonly transactions: TransactionCoordinator;
  readonly markers: MarkerWriter;
  readonly internalTopics: InternalTopics;
  private readonly sender: MarkerSender;

  constructor(parts: CoordinationParts) {
    const { ambient, clock, config, controller, flushSoon, image, io } = parts;
    const { partitions, producers, resolve } = parts;
    const coordinators = new Coordinators({
      ambient,
      arena: io.arena,
      logs: io.logs,
      partitions,
      limitsOf: parts.limitsOf,
      transactionWritten: (logId, { producerEpoch, producerId }, baseOffset) => {
        const nowMs = clock.wallMs();
        producers.recordUnsequenced(logId, producerId, producerEpoch, baseOffset, nowMs);
      },
      flushSoon,
    });
    this.coordinators = coordinators;
    this.groups = new GroupCoordinator({ ambient, coordinators, config, image });
    this.markers = new MarkerWriter({
      clock,
      partitions,
      producers,
      writer: coordinators.writer,
      resolve,
      endGroupTransaction: (partition, batch, marker, settle) =>
        this.groups.driver.appendMarker(partition, batch, marker, settle),
    });
    this.sender = new MarkerSender({ ambient, writer: this.markers, flushSoon });
    this.transactions = new TransactionCoordinator({
      clock,
      coordinators,
      config,
      image,
      sender: this.sender,
      nextProducerId: parts.nextProducerId,
      flushSoon,
    });
    this.internalTopics = new InternalTopics({ ambient, controller, config, image });
  }

  figures(): Pick<BrokerFigures, "coordinators" | "groups" | "transactions"> {
    const { completing, ended } = this.sender;
    return {
      coordinators: this.coordinators.figures(),
      groups: this.groups.figures(),
      transactions: { ...this.transactions.figures(), completing, ...ended },
    };
  }

  /** Nothing is decided any more; what is on its way to a disk still arrives. */
  stop(): void {
    this.coordinators.stop();
    this.sender.stop();
  }
}
