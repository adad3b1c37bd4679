import type { Prng } from "@mantou/base";
import { codecs } from "@mantou/client";
import type { RecordInput } from "@mantou/protocol";
import {
  BATCH_HEADER_BYTES,
  BatchField,
  CompressionType,
  crc32c,
  encodeBatch,
  putInt64,
} from "@mantou/protocol";
import type { World } from "./world.ts";

const INT32_MAX = 0x7fff_ffff;
const BIG = Number.MAX_SAFE_INTEGER;
const COMPRESSED = [
  CompressionType.GZIP,
  CompressionType.SNAPPY,
  CompressionType.LZ4,
  CompressionType.ZSTD,
];
/** Batches are costly to compress: so many of each kind are made, and then used again. */
const COMPRESSED_KEPT = 4;

/** Record batches: honest ones, and ones whose header lies under a right checksum. */
export class BatchMaker {
  private readonly compressed: Uint8Array[] = [];

  constructor(
    private readonly prng: Prng,
    private readonly world: World,
    private readonly nowMs: () => number,
  ) {}

  /** What goes into a records field: mostly a batch, now and then something else. */
  records(topic: string, partition: number): Uint8Array | null {
    const { prng } = this;
    if (prng.chance(1, 40)) return null;
    if (prng.chance(1, 40)) return new Uint8Array(0);
    if (prng.chance(1, 40)) return this.noise();
    const batch = this.batch(topic, partition);
    if (prng.chance(3, 5)) return batch;
    return this.damaged(batch);
  }

  /** A batch that a good client could have sent. */
  batch(topic: string, partition: number): Uint8Array {
    const { prng } = this;
    if (prng.chance(1, 6)) return this.compressedBatch();
    const producer = this.world.producers.length > 0 && prng.chance(1, 3);
    if (!producer) return encodeBatch(this.inputs());
    const { id, epoch, sequences } = prng.pick(this.world.producers);
    const key = `${topic}/${partition}`;
    const next = sequences.get(key) ?? 0;
    const inputs = this.inputs();
    // Now and then a repetition, or a gap.
    const baseSequence = prng.chance(1, 8) ? Math.max(0, next - prng.below(6)) : next;
    sequences.set(key, baseSequence + inputs.length);
    return encodeBatch(inputs, { producerId: id, producerEpoch: epoch, baseSequence });
  }

  private inputs(): RecordInput[] {
    const { prng } = this;
    const timestamp = this.nowMs() - prng.below(10_000);
    return Array.from({ length: prng.pick([1, 1, 2, 3, 7]) }, () => ({
      key: prng.chance(1, 3) ? this.bytes(prng.below(8)) : null,
      value: prng.chance(1, 10) ? null : this.bytes(this.valueBytes()),
      timestamp: timestamp + prng.below(100),
      headers: prng.chance(1, 5) ? [{ key: "h", value: this.bytes(3) }] : [],
    }));
  }

  /** Mostly small; now and then near and above what a topic takes. */
  private valueBytes(): number {
    const { prng } = this;
    if (prng.chance(1, 8000)) return prng.pick([1_048_000, 1_048_588, 1_200_000]);
    return prng.chance(1, 300) ? 20_000 : prng.below(100);
  }

  private bytes(length: number): Uint8Array {
    return new Uint8Array(length).fill(this.prng.below(256));
  }

  private compressedBatch(): Uint8Array {
    const { prng, compressed } = this;
    if (compressed.length >= COMPRESSED.length * COMPRESSED_KEPT) return prng.pick(compressed);
    const codec = COMPRESSED[compressed.length % COMPRESSED.length] as CompressionType;
    const batch = encodeBatch(this.inputs(), { codec, codecs });
    compressed.push(batch);
    return batch;
  }

  private noise(): Uint8Array {
    const { prng } = this;
    return Uint8Array.from({ length: prng.between(1, 120) }, () => prng.below(256));
  }

  private damaged(honest: Uint8Array): Uint8Array {
    const { prng } = this;
    const batch = honest.slice();
    switch (prng.below(6)) {
      case 0:
        return batch.subarray(0, prng.below(batch.length));
      case 1: {
        // Two batches, or one and something.
        const more = prng.chance(1, 2) ? this.batch("", 0) : this.noise();
        const both = new Uint8Array(batch.length + more.length);
        both.set(batch);
        both.set(more, batch.length);
        return both;
      }
      case 2:
        batch[prng.below(batch.length)] = prng.below(256);
        return batch;
      case 3:
        // A lie in the payload that the checksum confirms.
        if (batch.length > BATCH_HEADER_BYTES) {
          const at = prng.between(BATCH_HEADER_BYTES, batch.length - 1);
          batch[at] = prng.pick([0, 1, 0x7f, 0x80, 0xff, prng.below(256)]);
        }
        return sealed(batch);
      default:
        this.lie(batch);
        return prng.chance(1, 10) ? batch : sealed(batch);
    }
  }

  /** Changes one or two header fields. */
  private lie(batch: Uint8Array): void {
    const { prng } = this;
    const view = new DataView(batch.buffer, batch.byteOffset, batch.byteLength);
    const length = batch.length - 12;
    for (let count = prng.between(1, 2); count > 0; count -= 1) {
      const int32 = prng.pick([-2, -1, 0, 1, 2, INT32_MAX, -INT32_MAX - 1, length, prng.below(9)]);
      const int64 = prng.pick([-2, -1, 0, 1, 2 ** 31, 2 ** 32, BIG, -BIG, prng.below(1000)]);
      switch (prng.below(11)) {
        case 0:
          putInt64(view, BatchField.baseOffset, int64);
          break;
        case 1: {
          const lengths = [int32, length - 1, length + 1, 49, 48];
          view.setInt32(BatchField.batchLength, prng.pick(lengths));
          break;
        }
        case 2:
          view.setInt32(BatchField.partitionLeaderEpoch, int32);
          break;
        case 3:
          view.setInt8(BatchField.magic, prng.pick([-1, 0, 1, 3, 127]));
          break;
        case 4:
          view.setInt16(BatchField.attributes, prng.below(0x1_0000));
          break;
        case 5:
          view.setInt32(BatchField.lastOffsetDelta, int32);
          break;
        case 6:
          putInt64(view, BatchField.baseTimestamp, int64);
          break;
        case 7:
          putInt64(view, BatchField.maxTimestamp, int64);
          break;
        case 8:
          putInt64(view, BatchField.producerId, int64);
          break;
        case 9:
          view.setInt16(BatchField.producerEpoch, prng.pick([-1, 0, 1, 0x7fff, -0x8000]));
          view.setInt32(BatchField.baseSequence, int32);
          break;
        default:
          view.setInt32(BatchField.recordsCount, int32);
      }
    }
  }
}

/** Makes the checksum right again, so that what is behind it gets looked at. */
function sealed(batch: Uint8Array): Uint8Array {
  const view = new DataView(batch.buffer, batch.byteOffset, batch.byteLength);
  view.setUint32(BatchField.crc, crc32c(batch, BatchField.attributes, batch.length));
  return batch;
}
