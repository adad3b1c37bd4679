import { describe, expect, test } from "bun:test";
import { codecs } from "@mantou/client";
import { lz4Codec, snappyCodec } from "@mantou/protocol";
import * as lz4 from "../src/blocks/lz4-block.ts";
import * as snappy from "../src/blocks/snappy-block.ts";

/** The same adapters as `packages/client` has around the native packages. */
const ours = {
  lz4: lz4Codec({
    compress: (block) => lz4.compressSync(block).subarray(4),
    decompress(block, bytesMax) {
      const sized = new Uint8Array(4 + block.length);
      new DataView(sized.buffer).setUint32(0, bytesMax, true);
      sized.set(block, 4);
      return lz4.uncompressSync(sized);
    },
  }),
  snappy: snappyCodec({ compress: snappy.compressSync, decompress: snappy.uncompressSync }),
};

function samples(): Uint8Array[] {
  let seed = 12345;
  const random = (): number => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) >>> 8;
  const text = new TextEncoder().encode('{"name":"anna","total":42,"tags":["a","b"]}'.repeat(4000));
  const noise = Uint8Array.from({ length: 100_000 }, () => random());
  const mixed = Uint8Array.from({ length: 200_000 }, (_, at) => (at % 977 < 500 ? 7 : random()));
  const small = Array.from({ length: 80 }, (_, length) =>
    Uint8Array.from({ length }, (_ignored, at) => at % 3),
  );
  return [...small, text, noise, mixed, new Uint8Array(300_000)];
}

for (const name of ["lz4", "snappy"] as const) {
  describe(`${name} blocks in TypeScript and the native package`, () => {
    test("read what the other writes", () => {
      for (const bytes of samples()) {
        const limit = bytes.length;
        expect(codecs[name].decompress(ours[name].compress(bytes), limit)).toEqual(bytes);
        expect(ours[name].decompress(codecs[name].compress(bytes), limit)).toEqual(bytes);
      }
    });

    test("compress what repeats", () => {
      expect(ours[name].compress(new Uint8Array(300_000)).length).toBeLessThan(20_000);
    });

    test("refuse damage instead of inventing bytes", () => {
      const bytes = new TextEncoder().encode("hello hello hello hello ".repeat(50));
      const packed = ours[name].compress(bytes);
      expect(() => ours[name].decompress(packed, bytes.length - 1)).toThrow();
      for (let cut = 1; cut < packed.length; cut += 1) {
        let back: Uint8Array | null = null;
        try {
          back = ours[name].decompress(packed.subarray(0, cut), 100_000);
        } catch {
          continue;
        }
        // A shorter frame may end on a boundary, but never as the whole.
        expect(back.length).toBeLessThan(bytes.length);
      }
    });
  });
}
