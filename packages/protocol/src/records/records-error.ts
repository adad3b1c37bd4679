/**
 * What can be wrong with a batch. Where `InspectCode` of the engine has the same fault, it has the
 * same number.
 */
export const BatchFault = {
  NONE: 0,
  /** Shorter than a batch header, or its length field disagrees with what is there. */
  TRUNCATED: 1,
  /** A magic that is not known. */
  MAGIC: 2,
  CRC: 4,
  /** Unknown codec, or a payload that is damaged or whose framing Kafka's readers reject. */
  COMPRESSION: 6,
  /** A record does not parse, or the payload is not used up exactly. */
  RECORDS: 7,
  /** Inflates beyond the allowed size. */
  INFLATED_SIZE: 9,
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
