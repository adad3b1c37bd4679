import { BatchFault, RecordsError } from "./records-error.ts";

/** The codec bits of a batch's attributes. */
export const CompressionType = { NONE: 0, GZIP: 1, SNAPPY: 2, LZ4: 3, ZSTD: 4 } as const;
export type CompressionType = (typeof CompressionType)[keyof typeof CompressionType];

/** Compresses and inflates whole payloads. Stateless: one serves everybody. */
export interface RecordCodec {
  compress(bytes: Uint8Array): Uint8Array;
  /**
   * @param bytesMax the largest inflated size that is allowed, in bytes.
   * @throws RecordsError: COMPRESSION where the bytes are damaged or cut off, INFLATED_SIZE where
   *   they would inflate beyond `bytesMax`.
   */
  decompress(bytes: Uint8Array, bytesMax: number): Uint8Array;
}

/** Compresses and inflates single blocks, without any framing around them. */
export interface BlockCodec {
  compress(block: Uint8Array): Uint8Array;
  /** Inflates one block to at most `bytesMax` bytes; throws anything where it is damaged. */
  decompress(block: Uint8Array, bytesMax: number): Uint8Array;
}

/** The implementations at hand. They live above this package: here is no zlib. */
export interface Codecs {
  readonly gzip?: RecordCodec;
  readonly snappy?: RecordCodec;
  readonly lz4?: RecordCodec;
  readonly zstd?: RecordCodec;
}

/** Kafka's name of a codec (`compression.type`), or "codec 7" for bits without meaning. */
export function compressionName(type: number): string {
  return ["none", "gzip", "snappy", "lz4", "zstd"][type] ?? `codec ${type}`;
}

/** The implementation of `type`, which is not NONE. Throws RecordsError when there is none. */
export function codecFor(codecs: Codecs, type: number): RecordCodec {
  const found = [undefined, codecs.gzip, codecs.snappy, codecs.lz4, codecs.zstd][type];
  if (found !== undefined) return found;
  const fault = type > CompressionType.ZSTD ? BatchFault.COMPRESSION : BatchFault.CODEC_MISSING;
  throw new RecordsError(fault, `no implementation of ${compressionName(type)} was given`);
}

/** The error of a payload that would inflate beyond its bound. */
export function inflatedTooLarge(type: number, bytesMax: number): RecordsError {
  return new RecordsError(
    BatchFault.INFLATED_SIZE,
    `the ${compressionName(type)} payload inflates to more than ${bytesMax} bytes`,
  );
}

/** The error of a payload that does not parse. */
export function badPayload(type: number, why: string): RecordsError {
  return new RecordsError(BatchFault.COMPRESSION, `bad ${compressionName(type)} payload: ${why}`);
}
