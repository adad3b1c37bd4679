import { unreachable } from "@mantou/base";
import { ErrorCode } from "@mantou/protocol";
import type {
  AllocateProducerIds,
  Command,
  DecideContext,
  Decision,
  InitializeCluster,
  ItemReply,
  ProducerIdBlock,
  Replies,
  ReplyTo,
} from "./commands.ts";
import { decideAlterPartitions } from "./decide/alter-partitions.ts";
import {
  decideFenceBroker,
  decideRegisterBroker,
  decideUnregisterBroker,
} from "./decide/brokers.ts";
import { decideChangeConfigs, decideReplaceConfigs } from "./decide/change-configs.ts";
import { decideCreatePartitions } from "./decide/create-partitions.ts";
import { decideCreateTopics } from "./decide/create-topics.ts";
import { decideDeleteTopics } from "./decide/delete-topics.ts";
import { accepted, refused } from "./decide/replies.ts";
import { supportedFeatures } from "./features.ts";
import type { CatalogImage } from "./image.ts";
import type { MetadataRecord } from "./records.ts";

/** Producer ids that a broker reserves at a time. */
export const PRODUCER_ID_BLOCK_SIZE = 1000;

/**
 * The controller: what a command does to the cluster, as records, and what to answer once they
 * are committed. Reads only; without records nothing happens and the reply may go at once.
 *
 * The image must have everything applied that was decided before: a driver lets one decision be
 * under way at a time, or applies as it proposes and starts over when it loses leadership.
 */
export function decide<C extends Command>(
  image: CatalogImage,
  command: C,
  context: DecideContext,
): Decision<ReplyTo<C>> {
  return dispatch(image, command, context) as Decision<ReplyTo<C>>;
}

function dispatch(
  image: CatalogImage,
  command: Command,
  context: DecideContext,
): Decision<Replies[keyof Replies]> {
  switch (command.kind) {
    case "initializeCluster":
      return decideInitializeCluster(image, command);
    case "createTopics":
      return decideCreateTopics(image, command, context);
    case "deleteTopics":
      return decideDeleteTopics(image, command, context);
    case "createPartitions":
      return decideCreatePartitions(image, command, context);
    case "replaceConfigs":
      return decideReplaceConfigs(image, command, context);
    case "changeConfigs":
      return decideChangeConfigs(image, command, context);
    case "registerBroker":
      return decideRegisterBroker(image, command);
    case "fenceBroker":
      return decideFenceBroker(image, command);
    case "unregisterBroker":
      return decideUnregisterBroker(image, command);
    case "alterPartitions":
      return decideAlterPartitions(image, command);
    case "allocateProducerIds":
      return decideAllocateProducerIds(image, command);
    default:
      return unreachable(command);
  }
}

/** The first command: names the cluster and finalises the features of this version. */
function decideInitializeCluster(
  image: CatalogImage,
  command: InitializeCluster,
): Decision<ItemReply> {
  if (image.clusterId !== null) {
    if (image.clusterId !== command.clusterId) {
      const message = `the cluster is ${image.clusterId}`;
      return { records: [], reply: refused(ErrorCode.INCONSISTENT_CLUSTER_ID, message) };
    }
    // A cluster of an earlier version gets what this one has in addition.
    return { records: missingFeatures(image), reply: accepted };
  }
  return {
    records: [{ kind: "cluster", clusterId: command.clusterId }, ...missingFeatures(image)],
    reply: accepted,
  };
}

const missingFeatures = (image: CatalogImage): MetadataRecord[] =>
  supportedFeatures
    .filter(({ name }) => !image.features.has(name))
    .map(({ name, maxVersion }) => ({ kind: "featureLevel", name, level: maxVersion }));

function decideAllocateProducerIds(
  image: CatalogImage,
  command: AllocateProducerIds,
): Decision<ProducerIdBlock> {
  const { nodeId } = command;
  const broker = image.broker(nodeId);
  if (broker === undefined || broker.epoch !== command.brokerEpoch) {
    const message = `broker ${nodeId} is not registered with epoch ${command.brokerEpoch}`;
    const fault = refused(ErrorCode.STALE_BROKER_EPOCH, message);
    return { records: [], reply: { ...fault, firstProducerId: -1, count: 0 } };
  }
  const firstProducerId = image.nextProducerId;
  const nextProducerId = firstProducerId + PRODUCER_ID_BLOCK_SIZE;
  return {
    records: [{ kind: "producerIds", nodeId, nextProducerId }],
    reply: { ...accepted, firstProducerId, count: PRODUCER_ID_BLOCK_SIZE },
  };
}
