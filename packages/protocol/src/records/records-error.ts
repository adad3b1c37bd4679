/**
 * What can be wrong with a batch. 0 to 10 have the same numbers and meanings as `InspectCode` of
 * the engine, so that the portable engine and the native one answer alike.
 */
export const BatchFault = {
  NONE: 0,
  /** Shorter than a batch header, or its length field disagrees with what is there. */
  TRUNCATED: 1,
  /** Magic is not 2. */
  MAGIC: 2,
  /** More bytes than one batch. */
  TRAILING: 3,
  CRC: 4,
  /** recordsCount, lastOffsetDelta, base offset or sequence contradict each other. */
  COUNT: 5,
  /** Unknown codec, or a payload whose framing Kafka's readers reject. */
  COMPRESSION: 6,
  /** A record does not parse, or the payload is not used up exactly. */
  RECORDS: 7,
  KEY_MISSING: 8,
  /** Inflates beyond the allowed size. */
  INFLATED_SIZE: 9,
  /** Control bit set, or bits that only the broker may set. */
  ATTRIBUTES: 10,
  /** The batch is compressed and no implementation of its codec was given. */
  CODEC_MISSING: 11,
} as const;
export type BatchFault = (typeof BatchFault)[keyof typeof BatchFault];

/** Bytes that are not what they claim to be, or that cannot be read here; `fault` says which. */
export class RecordsError extends Error {
  override readonly name = "RecordsError";

  constructor(
    readonly fault: BatchFault,
    message: string,
  ) {
    super(message);
  }
}
