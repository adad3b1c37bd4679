import { describe, expect, test } from "bun:test";
import { Prng } from "@mantou/base";
import type { Codec, TypeNode } from "../src/index.ts";
import { DecodeError, Reader } from "../src/index.ts";
import { allCodecs, effort, seed, versionsOf } from "./messages.ts";
import type { At, Value } from "./random-value.ts";
import { at, expectedValue, randomValue, withBytes } from "./random-value.ts";
import type { ExtraTags, Site } from "./wire-model.ts";
import { WireModel, bigEndian, uvarintBytes } from "./wire-model.ts";

const ROUNDS = effort;
const BUDGET_BYTES = 64 * 1024;

type Outcome = { readonly value: unknown } | { readonly error: DecodeError };

/** Decodes; anything thrown that is not a DecodeError is a failure of the test. */
function attempt(codec: Codec<unknown>, bytes: Uint8Array, version: number): Outcome {
  const reader = new Reader(bytes).reset(0, bytes.length, BUDGET_BYTES);
  try {
    const value = codec.decode(reader, version);
    if (reader.budgetBytes < 0) throw new Error("budget overdrawn without an error");
    return { value };
  } catch (error) {
    if (error instanceof DecodeError) return { error };
    throw error;
  }
}

/** Bytes of memory that a decoded value takes at least: cells, text, copied bytes. */
function leastMemory(value: unknown, type: TypeNode): number {
  if (value === null) return 0;
  if (type.kind === "string") return (value as string).length;
  if (type.kind === "bytes") return (value as Uint8Array).length;
  if (type.kind === "array") {
    const list = value as unknown[];
    return list.reduce<number>((sum, item) => sum + 8 + leastMemory(item, type.element), 0);
  }
  if (type.kind !== "struct") return 0;
  const source = value as Value;
  return type.fields.reduce((sum, field) => sum + leastMemory(source[field.name], field.type), 0);
}

/** Lies for one site: lengths and counts of every kind of wrongness. */
function liesFor(site: Site, remaining: number): number[][] {
  if (site.kind === "marker") return [[0], [2], [0x7f], [0x80], [0xfe], [1], [0xff]];
  if (site.kind === "int16" || site.kind === "int32") {
    const bytes = site.kind === "int16" ? 2 : 4;
    const high = 2 ** (bytes * 8 - 1) - 1;
    const values = [-2, -1, 0, 1, high, -high - 1, remaining - 1, remaining, remaining + 1];
    return values.map((value) => bigEndian(BigInt(value), bytes));
  }
  const values = [0, 1, 2, 0x7f, 0x80, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];
  values.push(Math.max(0, remaining - 1), remaining, remaining + 1, remaining + 2);
  return [
    ...values.map(uvarintBytes),
    [0xff, 0xff, 0xff, 0xff, 0x10],
    [0xff, 0xff, 0xff, 0xff, 0x7f],
    [0xff, 0xff, 0xff, 0xff, 0xff],
    [0x80, 0x80, 0x80, 0x80, 0x80, 0x01],
    [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01],
  ];
}

const encode = (
  codec: Codec<unknown>,
  when: At,
  value: unknown,
  tags: ExtraTags = [],
): Uint8Array => Uint8Array.from(new WireModel(when, tags).message(codec.schema, value).bytes);

describe(`lies about structure, MANTOU_SEED=${seed}`, () => {
  for (const codec of allCodecs) {
    test(`${codec.name} is read within bounds or refused`, () => {
      const prng = new Prng(seed);
      for (const version of versionsOf(codec)) {
        const when = at(codec, version);
        for (let round = 0; round < ROUNDS; round++) {
          const value = randomValue(prng, codec.schema, when);
          const honest = new WireModel(when).message(codec.schema, value);
          for (const site of honest.sites) {
            const behind = site.position + site.width;
            for (const bytes of liesFor(site, honest.bytes.length - behind)) {
              const wire = Uint8Array.from(
                honest.bytes.toSpliced(site.position, site.width, ...bytes),
              );
              const outcome = attempt(codec, wire, version);
              if ("error" in outcome) continue;
              expect(leastMemory(outcome.value, codec.schema)).toBeLessThanOrEqual(BUDGET_BYTES);
            }
          }
        }
      }
    });

    test(`${codec.name} survives random damage`, () => {
      const prng = new Prng(seed ^ 0x5eed);
      for (const version of versionsOf(codec)) {
        const honest = encode(
          codec,
          at(codec, version),
          randomValue(prng, codec.schema, at(codec, version)),
        );
        for (let round = 0; round < 40 * ROUNDS && honest.length > 0; round++) {
          const wire = honest.slice();
          for (let flips = prng.between(1, 3); flips > 0; flips--) {
            wire[prng.below(wire.length)] = prng.pick([0, 1, 0x7f, 0x80, 0xff, prng.below(256)]);
          }
          attempt(codec, wire, version);
        }
      }
    });
  }
});

describe(`tagged fields, MANTOU_SEED=${seed}`, () => {
  const flexible = allCodecs.filter((codec) => codec.flexibleFrom <= codec.maxVersion);

  for (const codec of flexible) {
    test(`${codec.name} skips unknown tags wherever a struct ends`, () => {
      const prng = new Prng(seed);
      for (const version of versionsOf(codec)) {
        if (version < codec.flexibleFrom) continue;
        const when = at(codec, version);
        const value = randomValue(prng, codec.schema, when);
        // Out of order and repeated is what no client should write; skipping it hurts nobody.
        const tags: ExtraTags = [
          [10_000, [1, 2, 3]],
          [900, []],
          [900, [7]],
          [0xffff_ffff, Array.from({ length: 200 }, () => prng.below(256))],
        ];
        const wire = encode(codec, when, value, tags);
        const outcome = attempt(codec, wire, version);
        if ("error" in outcome) throw outcome.error;
        const decoded = withBytes(outcome.value, codec.schema, wire);
        expect(decoded).toEqual(expectedValue(value, codec.schema, when));
      }
    });

    test(`${codec.name} refuses a flood of tags`, () => {
      const prng = new Prng(seed);
      const when = at(codec, codec.maxVersion);
      const flood: ExtraTags = Array.from({ length: 3000 }, (_, i) => [100 + i, []] as const);
      const wire = encode(codec, when, randomValue(prng, codec.schema, when), flood);
      const outcome = attempt(codec, wire, codec.maxVersion);
      expect("error" in outcome && outcome.error.message).toContain("more memory");
    });
  }
});
