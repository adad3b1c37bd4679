/** A feature that this version can run at any level of a range. */
export interface SupportedFeature {
  readonly name: string;
  readonly minVersion: number;
  readonly maxVersion: number;
}

/**
 * The cluster-wide format of the metadata, in Kafka's numbering (30 is 4.3-IV0): what it promises
 * to clients holds here too.
 */
export const METADATA_VERSION = 30;

export const supportedFeatures: readonly SupportedFeature[] = [
  { name: "metadata.version", minVersion: METADATA_VERSION, maxVersion: METADATA_VERSION },
  // Level 1: the consumer protocol of KIP-848.
  { name: "group.version", minVersion: 0, maxVersion: 1 },
  // Level 2: writing adds a partition to a transaction, and its end raises the epoch (KIP-890).
  { name: "transaction.version", minVersion: 0, maxVersion: 2 },
];
