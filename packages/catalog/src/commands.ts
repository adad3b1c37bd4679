import type { ErrorCode } from "@mantou/protocol";
import type { Millis, Uuid } from "@mantou/base";
import type { BrokerConfig } from "./configs/broker-config.ts";
import type { ConfigResourceType } from "./image.ts";
import type { Endpoint, MetadataRecord } from "./records.ts";

/** What a decision depends on besides the image and the command. */
export interface DecideContext {
  readonly nowMs: Millis;
  /** The next of a supply of random ids. The ones that cannot be used are skipped. */
  readonly newUuid: () => Uuid;
  /** The settings with which the deciding broker was started: defaults and limits. */
  readonly config: BrokerConfig;
}

/** An outcome for one item: NONE, or an error of the protocol with a sentence for people. */
export interface ItemReply {
  readonly errorCode: ErrorCode;
  readonly errorMessage: string | null;
}

/** Names the cluster. First command of a fresh one. */
export interface InitializeCluster {
  readonly kind: "initializeCluster";
  readonly clusterId: string;
}

export interface NewTopic {
  readonly name: string;
  /** -1: the default, or given by `assignments`. */
  readonly numPartitions: number;
  /** -1: the default, or given by `assignments`. */
  readonly replicationFactor: number;
  /** Replicas by hand; empty: the controller places them. */
  readonly assignments: readonly {
    readonly partitionIndex: number;
    readonly brokerIds: readonly number[];
  }[];
  readonly configs: readonly { readonly name: string; readonly value: string | null }[];
}

export interface CreateTopics {
  readonly kind: "createTopics";
  readonly topics: readonly NewTopic[];
  readonly validateOnly: boolean;
}

export interface CreatedTopic extends ItemReply {
  readonly name: string;
  /** Zero with `validateOnly` and on errors. */
  readonly topicId: Uuid;
  /** -1 on errors. */
  readonly numPartitions: number;
  readonly replicationFactor: number;
  /** The topic's own settings, from which its whole configuration is described. */
  readonly overrides: ReadonlyMap<string, string>;
}

export interface DeleteTopics {
  readonly kind: "deleteTopics";
  /** Each by name or by id: exactly one of them is set (name null, or the zero id). */
  readonly topics: readonly { readonly name: string | null; readonly topicId: Uuid }[];
}

export interface DeletedTopic extends ItemReply {
  readonly name: string | null;
  readonly topicId: Uuid;
}

export interface CreatePartitions {
  readonly kind: "createPartitions";
  readonly topics: readonly {
    readonly name: string;
    /** Partitions that the topic shall have in all. */
    readonly count: number;
    /** Replicas of each new partition; null: the controller places them. */
    readonly assignments: readonly { readonly brokerIds: readonly number[] }[] | null;
  }[];
  readonly validateOnly: boolean;
}

export interface NamedReply extends ItemReply {
  readonly name: string;
}

/** Replaces all settings of each resource (the old AlterConfigs). */
export interface ReplaceConfigs {
  readonly kind: "replaceConfigs";
  readonly resources: readonly {
    readonly resourceType: number;
    readonly resourceName: string;
    readonly configs: readonly { readonly name: string; readonly value: string | null }[];
  }[];
  readonly validateOnly: boolean;
}

/** Numbered as on the wire. */
export const ConfigOperation = { SET: 0, DELETE: 1, APPEND: 2, SUBTRACT: 3 } as const;

/** Changes single settings (IncrementalAlterConfigs). */
export interface ChangeConfigs {
  readonly kind: "changeConfigs";
  readonly resources: readonly {
    readonly resourceType: number;
    readonly resourceName: string;
    readonly configs: readonly {
      readonly name: string;
      /** One of {@link ConfigOperation}; anything else is refused. */
      readonly configOperation: number;
      readonly value: string | null;
    }[];
  }[];
  readonly validateOnly: boolean;
}

export interface ConfigReply extends ItemReply {
  readonly resourceType: number;
  readonly resourceName: string;
}

/** A broker process starts. It is fenced until `fenceBroker` lets it in. */
export interface RegisterBroker {
  readonly kind: "registerBroker";
  readonly nodeId: number;
  readonly incarnationId: Uuid;
  readonly rack: string | null;
  readonly endpoints: readonly Endpoint[];
  /**
   * Whether the process registered before under this node id is still heard of. Soft state of the
   * active controller; false on a node that registers itself at start.
   */
  readonly earlierIsAlive: boolean;
}

export interface RegisteredBroker extends ItemReply {
  /** To be named in every later command of this process. -1 on errors. */
  readonly brokerEpoch: number;
}

/** Lets a broker in, or takes its leaderships and in-sync places away. */
export interface FenceBroker {
  readonly kind: "fenceBroker";
  readonly nodeId: number;
  readonly brokerEpoch: number;
  readonly fenced: boolean;
}

/** Forgets a broker. Its replicas stay assigned until they are moved. */
export interface UnregisterBroker {
  readonly kind: "unregisterBroker";
  readonly nodeId: number;
}

/** A leader asks for other in-sync sets. */
export interface AlterPartitions {
  readonly kind: "alterPartitions";
  readonly nodeId: number;
  readonly brokerEpoch: number;
  readonly partitions: readonly {
    readonly topicId: Uuid;
    readonly partition: number;
    readonly leaderEpoch: number;
    readonly partitionEpoch: number;
    readonly isr: readonly number[];
  }[];
}

export interface AlteredPartition extends ItemReply {
  readonly topicId: Uuid;
  readonly partition: number;
  /** The partition epoch after the change; -1 on errors. */
  readonly partitionEpoch: number;
}

/** Reserves the next block of producer ids for a broker. */
export interface AllocateProducerIds {
  readonly kind: "allocateProducerIds";
  readonly nodeId: number;
  readonly brokerEpoch: number;
}

export interface ProducerIdBlock extends ItemReply {
  readonly firstProducerId: number;
  readonly count: number;
}

/** Commands by kind with the shape of their replies. */
export interface Replies {
  readonly initializeCluster: ItemReply;
  readonly createTopics: readonly CreatedTopic[];
  readonly deleteTopics: readonly DeletedTopic[];
  readonly createPartitions: readonly NamedReply[];
  readonly replaceConfigs: readonly ConfigReply[];
  readonly changeConfigs: readonly ConfigReply[];
  readonly registerBroker: RegisteredBroker;
  readonly fenceBroker: ItemReply;
  readonly unregisterBroker: ItemReply;
  readonly alterPartitions: readonly AlteredPartition[];
  readonly allocateProducerIds: ProducerIdBlock;
}

export type Command =
  | InitializeCluster
  | CreateTopics
  | DeleteTopics
  | CreatePartitions
  | ReplaceConfigs
  | ChangeConfigs
  | RegisterBroker
  | FenceBroker
  | UnregisterBroker
  | AlterPartitions
  | AllocateProducerIds;

export type ReplyTo<C extends Command> = Replies[C["kind"]];

/** The records make it so, all together or not at all; then the reply may be given. */
export interface Decision<Reply> {
  readonly records: readonly MetadataRecord[];
  readonly reply: Reply;
}

export type { ConfigResourceType };
