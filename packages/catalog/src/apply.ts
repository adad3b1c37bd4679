import { assert, unreachable } from "@mantou/base";
import { type CatalogImage, ConfigResource } from "./image.ts";
import type { MetadataRecord, RecordOf } from "./records.ts";
import { TopicImage } from "./topic-image.ts";
import { foldTopicName } from "./topic-name.ts";

/**
 * Takes one record into the image. The only mutation: the same at start and live. The record is
 * also the delta, so a driver that hosts partitions looks at the records it has just applied.
 *
 * Records come from our own `decide` through a log with checksums; one that contradicts the image
 * is a defect and fails an assertion.
 */
export function apply(image: CatalogImage, record: MetadataRecord): void {
  image.revision += 1;
  switch (record.kind) {
    case "cluster":
      assert(image.clusterId === null, "the cluster is named twice");
      image.clusterId = record.clusterId;
      return;
    case "counters":
      image.nextProducerId = record.nextProducerId;
      image.lastBrokerEpoch = record.lastBrokerEpoch;
      image.featuresEpoch = record.featuresEpoch;
      return;
    case "featureLevel":
      if (record.level === 0) image.features.delete(record.name);
      else image.features.set(record.name, record.level);
      image.featuresEpoch += 1;
      return;
    case "registerBroker":
      return registerBroker(image, record);
    case "brokerFenced": {
      const broker = image.brokersById.get(record.nodeId);
      assert(broker !== undefined, `broker ${record.nodeId} is fenced but not registered`);
      image.brokersById.set(record.nodeId, { ...broker, fenced: record.fenced });
      return;
    }
    case "unregisterBroker":
      assert(image.brokersById.delete(record.nodeId), `broker ${record.nodeId} is not registered`);
      image.settings.get(ConfigResource.BROKER)?.delete(String(record.nodeId));
      return;
    case "topic":
      return addTopic(image, record);
    case "partitions": {
      const topic = image.topicsById.get(record.topicId);
      assert(topic !== undefined, `partitions for topic ${record.topicId}, which does not exist`);
      topic.addPartitions(record);
      image.partitionCount += record.leaders.length;
      return;
    }
    case "partitionChange": {
      const topic = image.topicsById.get(record.topicId);
      assert(topic !== undefined, `change of topic ${record.topicId}, which does not exist`);
      topic.changePartitions(record);
      return;
    }
    case "removeTopic":
      return removeTopic(image, record);
    case "config":
      return setConfig(image, record);
    case "producerIds":
      assert(record.nextProducerId > image.nextProducerId, "producer ids go backwards");
      image.nextProducerId = record.nextProducerId;
      return;
    default:
      return unreachable(record);
  }
}

function registerBroker(image: CatalogImage, record: RecordOf<"registerBroker">): void {
  const { kind: _, ...broker } = record;
  image.brokersById.set(record.nodeId, broker);
  image.lastBrokerEpoch = Math.max(image.lastBrokerEpoch, record.epoch);
}

function addTopic(image: CatalogImage, record: RecordOf<"topic">): void {
  assert(!image.topicsByName.has(record.name), `topic ${record.name} is created twice`);
  assert(!image.topicsById.has(record.topicId), `topic id ${record.topicId} is given twice`);
  const topic = new TopicImage(record.topicId, record.name);
  image.topicsByName.set(record.name, topic);
  image.topicsById.set(record.topicId, topic);
  image.namesByFoldedName.set(foldTopicName(record.name), record.name);
  image.forgetSortedNames();
}

function removeTopic(image: CatalogImage, record: RecordOf<"removeTopic">): void {
  const topic = image.topicsById.get(record.topicId);
  assert(topic !== undefined, `topic ${record.topicId} is removed but does not exist`);
  image.topicsById.delete(topic.topicId);
  image.topicsByName.delete(topic.name);
  image.namesByFoldedName.delete(foldTopicName(topic.name));
  image.settings.get(ConfigResource.TOPIC)?.delete(topic.name);
  image.partitionCount -= topic.partitionCount;
  image.forgetSortedNames();
}

function setConfig(image: CatalogImage, record: RecordOf<"config">): void {
  let byName = image.settings.get(record.resourceType);
  if (byName === undefined) {
    byName = new Map();
    image.settings.set(record.resourceType, byName);
  }
  let settings = byName.get(record.resourceName);
  if (record.value !== null) {
    if (settings === undefined) {
      settings = new Map();
      byName.set(record.resourceName, settings);
    }
    settings.set(record.name, record.value);
    return;
  }
  settings?.delete(record.name);
  if (settings?.size === 0) byName.delete(record.resourceName);
}
