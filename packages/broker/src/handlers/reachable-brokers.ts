import type { BrokerImage, CatalogImage, TopicImage } from "@mantou/catalog";
import { NO_LEADER } from "@mantou/catalog";
import { ErrorCode } from "@mantou/protocol";

/** A broker and its address on one listener. */
export interface ReachableBroker {
  readonly broker: BrokerImage;
  readonly host: string;
  readonly port: number;
}

/** A broker's address on a listener, or null when it has none there. */
export function reachOn(broker: BrokerImage, listenerName: string): ReachableBroker | null {
  const endpoint = broker.endpoints.find(({ listener }) => listener === listenerName);
  return endpoint === undefined ? null : { broker, host: endpoint.host, port: endpoint.port };
}

/** Brokers that a client of a listener can use: not fenced and with an address there. */
export function reachableBrokers(image: CatalogImage, listenerName: string): ReachableBroker[] {
  return image.aliveNodeIds().flatMap((nodeId) => {
    const broker = image.broker(nodeId);
    const reachable = broker === undefined ? null : reachOn(broker, listenerName);
    return reachable === null ? [] : [reachable];
  });
}

/**
 * The broker that clients are told is the controller. Any broker takes what is meant for it, so
 * the one that answers is as good as any.
 */
export function advertisedController(
  reachable: readonly ReachableBroker[],
  nodeId: number,
): number {
  const self = reachable.find(({ broker }) => broker.nodeId === nodeId);
  return (self ?? reachable[0])?.broker.nodeId ?? -1;
}

/** One partition as clients of a listener see it. */
export interface PartitionView {
  readonly errorCode: ErrorCode;
  readonly partitionIndex: number;
  readonly leaderId: number;
  readonly leaderEpoch: number;
  readonly replicaNodes: number[];
  readonly isrNodes: number[];
  readonly offlineReplicas: number[];
}

/** @param reachableIds node ids of `reachableBrokers` for the client's listener. */
export function viewPartition(
  image: CatalogImage,
  topic: TopicImage,
  partition: number,
  reachableIds: ReadonlySet<number>,
): PartitionView {
  const leader = topic.leaderOf(partition);
  const replicaNodes = topic.replicasOf(partition);
  let errorCode: ErrorCode = ErrorCode.NONE;
  if (leader === NO_LEADER) errorCode = ErrorCode.LEADER_NOT_AVAILABLE;
  else if (!reachableIds.has(leader)) errorCode = ErrorCode.LISTENER_NOT_FOUND;
  return {
    errorCode,
    partitionIndex: partition,
    leaderId: errorCode === ErrorCode.NONE ? leader : NO_LEADER,
    leaderEpoch: topic.leaderEpochOf(partition),
    replicaNodes,
    isrNodes: topic.isrOf(partition),
    offlineReplicas: replicaNodes.filter((nodeId) => !image.isAlive(nodeId)),
  };
}
