import { describe, expect, test } from "bun:test";
import { Prng } from "@mantou/base";
import { DecodeError, Reader, Writer } from "../src/index.ts";
import { allCodecs, effort, seed, versionsOf } from "./messages.ts";
import { at, randomValue } from "./random-value.ts";

/**
 * A message that is cut off anywhere is refused. No version has an end that may be missing: a
 * decoder reads every byte of a message, so that it runs into the cut wherever it is.
 */
const ROUNDS = 2 * effort;

describe(`truncated messages, MANTOU_SEED=${seed}`, () => {
  for (const codec of allCodecs) {
    test(`${codec.name} is refused at each length`, () => {
      const writer = new Writer(64);
      const prng = new Prng(seed);
      for (const version of versionsOf(codec)) {
        for (let round = 0; round < ROUNDS; round++) {
          codec.encode(
            writer.reset(),
            randomValue(prng, codec.schema, at(codec, version)),
            version,
          );
          // The rest of the message lies behind the cut, as it may in the arena.
          const reader = new Reader(writer.toBytes());
          for (let length = 0; length < writer.length; length++) {
            let error: unknown;
            try {
              codec.decode(reader.reset(0, length), version);
            } catch (caught) {
              error = caught;
            }
            if (error instanceof DecodeError && error.position <= length) continue;
            expect({ version, length, of: writer.length, error }).toEqual({} as never);
          }
        }
      }
    });
  }
});
