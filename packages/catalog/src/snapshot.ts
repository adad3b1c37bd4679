import { type Result, err, ok } from "@mantou/base";
import { apply } from "./apply.ts";
import { CatalogImage, type ConfigResourceType } from "./image.ts";
import { type MetadataRecord, type RecordFault, decodeRecords, encodeRecords } from "./records.ts";

const noSettings: ReadonlyMap<string, ReadonlyMap<string, string>> = new Map();

/** Partitions per record, so that no record grows without bound. */
const PARTITIONS_PER_RECORD_MAX = 4096;

/**
 * The image as the records that rebuild it, in an order that depends on the state alone: equal
 * images give equal records.
 */
export function snapshotRecords(image: CatalogImage): MetadataRecord[] {
  const records: MetadataRecord[] = [];
  if (image.clusterId !== null) records.push({ kind: "cluster", clusterId: image.clusterId });
  for (const [name, level] of sorted(image.features)) {
    records.push({ kind: "featureLevel", name, level });
  }
  for (const nodeId of [...image.brokersById.keys()].sort((a, b) => a - b)) {
    const broker = image.brokersById.get(nodeId);
    if (broker !== undefined) records.push({ kind: "registerBroker", ...broker });
  }
  for (const name of image.topicNamesSorted()) {
    const topic = image.topicsByName.get(name);
    if (topic === undefined) continue;
    records.push({ kind: "topic", topicId: topic.topicId, name });
    for (let first = 0; first < topic.partitionCount; first += PARTITIONS_PER_RECORD_MAX) {
      const count = Math.min(PARTITIONS_PER_RECORD_MAX, topic.partitionCount - first);
      records.push(topic.toRecord(first, count));
    }
  }
  for (const type of [...image.settings.keys()].sort((a, b) => a - b)) {
    for (const [resourceName, settings] of sorted(image.settings.get(type) ?? noSettings)) {
      for (const [name, value] of sorted(settings)) {
        const resourceType = type as ConfigResourceType;
        records.push({ kind: "config", resourceType, resourceName, name, value });
      }
    }
  }
  const { nextProducerId, lastBrokerEpoch, featuresEpoch } = image;
  records.push({ kind: "counters", nextProducerId, lastBrokerEpoch, featuresEpoch });
  return records;
}

/** The whole image as one batch of records (see `encodeRecords`). */
export function encodeSnapshot(image: CatalogImage): Uint8Array {
  return encodeRecords(snapshotRecords(image));
}

/** A new image from `encodeSnapshot`'s bytes. An error is fatal: the state cannot be known. */
export function restoreSnapshot(bytes: Uint8Array): Result<CatalogImage, RecordFault> {
  const decoded = decodeRecords(bytes);
  if (!decoded.ok) return err(decoded.error);
  const image = new CatalogImage();
  for (const record of decoded.value) apply(image, record);
  return ok(image);
}

function sorted<V>(map: ReadonlyMap<string, V>): [string, V][] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}
