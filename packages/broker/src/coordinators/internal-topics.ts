import type { BrokerConfig, CatalogImage, InternalTopicConfig, NewTopic } from "@mantou/catalog";
import { ErrorCode } from "@mantou/protocol";
import type { Ambient } from "../ambient.ts";
import { metadataFailure } from "../drivers/metadata.ts";
import type { ControllerPort } from "../handler.ts";

/** The topics in which coordinators keep what they know. */
export const CONSUMER_OFFSETS = "__consumer_offsets";
export const TRANSACTION_STATE = "__transaction_state";
export type CoordinatorTopic = typeof CONSUMER_OFFSETS | typeof TRANSACTION_STATE;

export interface InternalTopicsParts {
  readonly ambient: Ambient;
  readonly controller: ControllerPort;
  readonly config: () => BrokerConfig;
  readonly image: () => CatalogImage;
}

/** Creates the topics of coordinators when somebody first looks for one. */
export class InternalTopics {
  private readonly creations = new Map<CoordinatorTopic, Promise<boolean>>();

  constructor(private readonly parts: InternalTopicsParts) {}

  /** Resolves with whether the topic is there now. Many who ask at a time share one creation. */
  ensure(topic: CoordinatorTopic): Promise<boolean> {
    let creation = this.creations.get(topic);
    if (creation === undefined) {
      creation = this.create(topic).finally(() => this.creations.delete(topic));
      this.creations.set(topic, creation);
    }
    return creation;
  }

  private async create(topic: CoordinatorTopic): Promise<boolean> {
    const { controller, config, image, ambient } = this.parts;
    const settings = topic === CONSUMER_OFFSETS ? config().offsetsTopic : config().transactionTopic;
    const alive = image().aliveNodeIds().length;
    const command = newTopic(topic, settings, alive, minInsyncReplicas(topic, config()));
    let why: string;
    try {
      const [created] = await controller.decide({
        kind: "createTopics",
        topics: [command],
        validateOnly: false,
      });
      const errorCode = created?.errorCode ?? ErrorCode.UNKNOWN_SERVER_ERROR;
      if (errorCode === ErrorCode.NONE || errorCode === ErrorCode.TOPIC_ALREADY_EXISTS) return true;
      why = created?.errorMessage ?? String(errorCode);
    } catch (error) {
      const failure = metadataFailure(error);
      if (failure === null) throw error;
      why = failure.errorMessage;
    }
    ambient.logger.error("internal_topic_not_created", {
      topic,
      why,
      todo: "groups and transactions wait for it; change the setting that is named",
    });
    return false;
  }
}

const minInsyncReplicas = (topic: CoordinatorTopic, config: BrokerConfig): number =>
  topic === TRANSACTION_STATE ? config.transactionTopic.minInsyncReplicas : 1;

function newTopic(
  name: string,
  { partitions, replicationFactor, segmentBytes }: InternalTopicConfig,
  aliveBrokers: number,
  minInsync: number,
): NewTopic {
  const replicas = Math.max(1, Math.min(replicationFactor, aliveBrokers));
  const configs = [
    { name: "cleanup.policy", value: "compact" },
    { name: "compression.type", value: "producer" },
    { name: "segment.bytes", value: String(segmentBytes) },
  ];
  if (minInsync > 1) {
    const value = String(Math.min(minInsync, replicas));
    configs.push({ name: "min.insync.replicas", value });
  }
  return { name, numPartitions: partitions, replicationFactor: replicas, assignments: [], configs };
}
