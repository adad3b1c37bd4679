const GZIP = 1;
const SNAPPY = 2;
const LZ4 = 3;
const ZSTD = 4;

const XERIAL_MAGIC = [0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00];

/** Whether a compressed payload begins the way that Kafka's own readers accept. */
export function isReadablePayload(
  codec: number,
  bytes: Uint8Array,
  from: number,
  end: number,
): boolean {
  switch (codec) {
    case GZIP:
      return end - from >= 18 && starts(bytes, from, [0x1f, 0x8b, 0x08]);
    case SNAPPY:
      return isSnappy(bytes, from, end);
    case LZ4:
      return isLz4Frame(bytes, from, end);
    case ZSTD:
      return end - from >= 6 && starts(bytes, from, [0x28, 0xb5, 0x2f, 0xfd]);
    default:
      return false;
  }
}

function starts(bytes: Uint8Array, from: number, expected: readonly number[]): boolean {
  return expected.every((byte, index) => bytes[from + index] === byte);
}

/** Either xerial's stream (magic, two versions, blocks) or one raw block (its inflated size). */
function isSnappy(bytes: Uint8Array, from: number, end: number): boolean {
  if (end - from >= 16 && starts(bytes, from, XERIAL_MAGIC)) return true;
  let size = 0;
  for (let index = 0; index < 5 && from + index < end; index++) {
    const byte = bytes[from + index] as number;
    size += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return size < 2 ** 32 && from + index + 1 < end;
  }
  return false;
}

/** Kafka's reader wants version 1, independent blocks, no reserved bits, a block size of 4 to 7. */
function isLz4Frame(bytes: Uint8Array, from: number, end: number): boolean {
  if (end - from < 11 || !starts(bytes, from, [0x04, 0x22, 0x4d, 0x18])) return false;
  const flags = bytes[from + 4] as number;
  const block = bytes[from + 5] as number;
  const isVersion1 = flags >> 6 === 1;
  const hasIndependentBlocks = (flags & 0x20) !== 0;
  const hasReserved = (flags & 0x03) !== 0 || (block & 0x8f) !== 0;
  return isVersion1 && hasIndependentBlocks && !hasReserved && block >> 4 >= 4;
}
