import type { CatalogImage } from "./image.ts";
import { NO_LEADER } from "./records.ts";
import type { TopicImage } from "./topic-image.ts";
import { foldTopicName, topicNameFault } from "./topic-name.ts";

/**
 * What must hold of every image, as sentences about what does not; empty when all is well.
 * Reads everything: for tests, the simulator and a debug command.
 */
export function checkInvariants(image: CatalogImage): string[] {
  const faults: string[] = [];
  let partitions = 0;
  for (const [name, topic] of image.topicsByName) {
    partitions += topic.partitionCount;
    if (topic.name !== name) faults.push(`${name}: filed under another name than ${topic.name}`);
    if (image.topicsById.get(topic.topicId) !== topic) faults.push(`${name}: not found by its id`);
    if (image.namesByFoldedName.get(foldTopicName(name)) !== name) {
      faults.push(`${name}: not found by its folded name`);
    }
    const fault = topicNameFault(name);
    if (fault !== null) faults.push(fault);
    if (topic.partitionCount === 0) faults.push(`${name}: no partitions`);
    for (let index = 0; index < topic.partitionCount; index += 1) {
      faults.push(...partitionFaults(image, topic, index));
    }
  }
  if (image.topicsById.size !== image.topicsByName.size) faults.push("topic maps disagree");
  if (image.namesByFoldedName.size !== image.topicsByName.size)
    faults.push("folded names disagree");
  if (partitions !== image.partitionCount) {
    faults.push(`${partitions} partitions, counted as ${image.partitionCount}`);
  }
  for (const broker of image.brokersById.values()) {
    if (broker.epoch > image.lastBrokerEpoch) faults.push(`broker ${broker.nodeId}: epoch unknown`);
  }
  for (const byName of image.settings.values()) {
    for (const [name, settings] of byName) {
      if (settings.size === 0) faults.push(`resource ${name}: empty settings are kept`);
    }
  }
  return faults;
}

function partitionFaults(image: CatalogImage, topic: TopicImage, partition: number): string[] {
  const faults: string[] = [];
  const name = `${topic.name}-${partition}`;
  const replicas = topic.replicasOf(partition);
  const isr = topic.isrOf(partition);
  const leader = topic.leaderOf(partition);
  if (replicas.length === 0) faults.push(`${name}: no replicas`);
  if (new Set(replicas).size !== replicas.length) faults.push(`${name}: a replica twice`);
  if (new Set(isr).size !== isr.length) faults.push(`${name}: an in-sync member twice`);
  if (isr.length === 0) faults.push(`${name}: nobody is in sync`);
  for (const node of isr) {
    if (!replicas.includes(node)) faults.push(`${name}: node ${node} is in sync but no replica`);
  }
  if (leader !== NO_LEADER) {
    if (!isr.includes(leader)) faults.push(`${name}: leader ${leader} is not in sync`);
    if (!image.isAlive(leader)) faults.push(`${name}: leader ${leader} is not alive`);
  } else if (isr.some((node) => image.isAlive(node))) {
    faults.push(`${name}: no leader although an in-sync member is alive`);
  }
  return faults;
}
