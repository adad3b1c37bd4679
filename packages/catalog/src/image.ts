import type { Uuid } from "@mantou/base";
import type { Endpoint } from "./records.ts";
import type { TopicImage } from "./topic-image.ts";
import { foldTopicName } from "./topic-name.ts";

/** Kinds of things that carry settings, numbered as on the wire. */
export const ConfigResource = { TOPIC: 2, BROKER: 4, GROUP: 32 } as const;
export type ConfigResourceType = (typeof ConfigResource)[keyof typeof ConfigResource];

/** The resource name under which settings for all brokers are kept. */
export const ALL_BROKERS = "";

/** What the cluster knows of one broker. Replaced whole, never changed in place. */
export interface BrokerImage {
  readonly nodeId: number;
  /** Fresh at each start of the process. */
  readonly incarnationId: Uuid;
  /** Rises with every registration; commands of an earlier life are refused by it. */
  readonly epoch: number;
  readonly rack: string | null;
  readonly endpoints: readonly Endpoint[];
  /** A fenced broker leads nothing, gets no replicas and is hidden from clients. */
  readonly fenced: boolean;
}

const noSettings: ReadonlyMap<string, string> = new Map();

/**
 * Everything the cluster agrees on, as of one position of the metadata log. `apply` is the only
 * thing that changes it, live and in replay alike; all else reads.
 */
export class CatalogImage {
  /** Null until the log's first record. */
  clusterId: string | null = null;
  readonly topicsByName = new Map<string, TopicImage>();
  readonly topicsById = new Map<Uuid, TopicImage>();
  /** Topic names by the form in which `.` and `_` are the same. */
  readonly namesByFoldedName = new Map<string, string>();
  readonly brokersById = new Map<number, BrokerImage>();
  /** Overrides by resource type and resource name. */
  readonly settings = new Map<number, Map<string, Map<string, string>>>();
  /** Finalised features. */
  readonly features = new Map<string, number>();
  /** Rises with every change of `features`. */
  featuresEpoch = 0;
  /** First producer id that belongs to no block yet. */
  nextProducerId = 0;
  lastBrokerEpoch = 0;
  partitionCount = 0;
  /** Counts applied records in this process; for caches. Not part of the agreed state. */
  revision = 0;
  private sortedNames: readonly string[] | null = null;

  topicByName(name: string): TopicImage | undefined {
    return this.topicsByName.get(name);
  }

  topicById(id: Uuid): TopicImage | undefined {
    return this.topicsById.get(id);
  }

  broker(nodeId: number): BrokerImage | undefined {
    return this.brokersById.get(nodeId);
  }

  isAlive(nodeId: number): boolean {
    return this.brokersById.get(nodeId)?.fenced === false;
  }

  /** Node ids of brokers that are not fenced, ascending. */
  aliveNodeIds(): number[] {
    const alive = [...this.brokersById.values()].filter((broker) => !broker.fenced);
    return alive.map((broker) => broker.nodeId).sort((a, b) => a - b);
  }

  /** The name of the topic with which a new topic would be confused, if there is one. */
  collidingTopic(name: string): string | undefined {
    return this.namesByFoldedName.get(foldTopicName(name));
  }

  /** Names of all topics in ascending order. Kept until a topic comes or goes. */
  topicNamesSorted(): readonly string[] {
    this.sortedNames ??= [...this.topicsByName.keys()].sort();
    return this.sortedNames;
  }

  /** What was set for a resource itself, by name. */
  settingsOf(type: ConfigResourceType, resourceName: string): ReadonlyMap<string, string> {
    return this.settings.get(type)?.get(resourceName) ?? noSettings;
  }

  forgetSortedNames(): void {
    this.sortedNames = null;
  }
}

export function newImage(): CatalogImage {
  return new CatalogImage();
}
