import { describe, expect, test } from "bun:test";
import { Prng } from "@mantou/base";
import { Reader, Writer } from "../src/index.ts";
import { allCodecs, effort, seed, versionsOf } from "./messages.ts";
import { at, expectedValue, randomValue, withBytes } from "./random-value.ts";
import { WireModel } from "./wire-model.ts";

const ROUNDS = 8 * effort;

describe(`random values, MANTOU_SEED=${seed}`, () => {
  for (const codec of allCodecs) {
    test(`${codec.name} comes back as it went, in every version`, () => {
      const writer = new Writer(64);
      const prng = new Prng(seed);
      for (const version of versionsOf(codec)) {
        const when = at(codec, version);
        for (let round = 0; round < ROUNDS; round++) {
          const value = randomValue(prng, codec.schema, when);
          codec.encode(writer.reset(), value, version);
          const encoded = writer.toBytes();
          const model = new WireModel(when).message(codec.schema, value);
          expect({ version, encoded }).toEqual({ version, encoded: Uint8Array.from(model.bytes) });

          // In the middle of a larger buffer, as in the arena.
          const buffer = new Uint8Array(encoded.length + 11).fill(0xee);
          buffer.set(encoded, 5);
          const reader = new Reader(buffer).reset(5, encoded.length);
          const decoded = withBytes(codec.decode(reader, version), codec.schema, buffer);
          expect({ version, decoded }).toEqual({
            version,
            decoded: expectedValue(value, codec.schema, when),
          });
          expect(reader.remaining).toBe(0);

          // What decode gives is always something that encode takes.
          codec.encode(writer.reset(), decoded, version);
          expect({ version, again: writer.toBytes() }).toEqual({ version, again: encoded });
        }
      }
    });
  }
});
