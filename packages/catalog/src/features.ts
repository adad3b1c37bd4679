/** A feature that this version can run at any level of a range. */
export interface SupportedFeature {
  readonly name: string;
  readonly minVersion: number;
  readonly maxVersion: number;
}

/**
 * The cluster-wide format of the metadata, in Kafka's numbering (30 is 4.3-IV0): what it promises
 * to clients holds here too. transaction.version and group.version are left out on purpose:
 * finalising them switches clients to protocols that this broker does not speak yet (KIP-890,
 * KIP-848).
 */
export const METADATA_VERSION = 30;

export const supportedFeatures: readonly SupportedFeature[] = [
  { name: "metadata.version", minVersion: METADATA_VERSION, maxVersion: METADATA_VERSION },
];
