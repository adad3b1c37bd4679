import { badPayload, compressionName, CompressionType } from "./codec.ts";
import { checkLz4 } from "./lz4-frame.ts";
import { checkSnappy } from "./snappy-framing.ts";
import { checkZstd } from "./zstd-frame.ts";

/** A gzip member: 10 bytes of header, at least 2 of deflate, 8 of trailer (RFC 1952). */
const GZIP_BYTES_MIN = 20;

function checkGzip(bytes: Uint8Array): void {
  const fail = (why: string): never => {
    throw badPayload(CompressionType.GZIP, why);
  };
  if (bytes.length < GZIP_BYTES_MIN) fail("the member is cut off");
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) fail("no gzip magic");
  if (bytes[2] !== 8) fail("the method is not deflate");
  if (((bytes[3] as number) & 0xe0) !== 0) fail("a reserved flag is set");
}

/**
 * Judges the framing of a compressed payload without inflating it: what Kafka's readers would
 * refuse by its headers is refused here. Throws RecordsError (COMPRESSION).
 * @param type the codec bits of the batch, not NONE.
 */
export function checkPayload(type: number, payload: Uint8Array): void {
  switch (type) {
    case CompressionType.GZIP:
      return checkGzip(payload);
    case CompressionType.SNAPPY:
      return checkSnappy(payload);
    case CompressionType.LZ4:
      return checkLz4(payload);
    case CompressionType.ZSTD:
      checkZstd(payload);
      return;
    default:
      throw badPayload(type, `${compressionName(type)} has no meaning`);
  }
}
