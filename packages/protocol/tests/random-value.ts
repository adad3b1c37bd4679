import type { Prng, Uuid } from "@mantou/base";
import { ZERO_UUID } from "@mantou/base";
import type { Codec, FieldNode, TypeNode } from "../src/index.ts";
import { uuidFromBytes } from "../src/index.ts";

/** Random messages, made from a schema, and what a version of it makes of them. */

export type Value = Record<string, unknown>;

/** A schema at one version. */
export interface At {
  readonly version: number;
  readonly flexible: boolean;
}

export const at = (codec: Codec<unknown>, version: number): At => ({
  version,
  flexible: version >= codec.flexibleFrom,
});

/** Whether a field exists in a version at all. */
export const exists = (field: FieldNode, { version, flexible }: At): boolean =>
  version >= field.since && version <= field.until && (field.tag < 0 || flexible);

export const isNullable = (field: FieldNode, { version }: At): boolean =>
  version >= field.nullableSince;

const INT64_EDGES = [0, -1, 1, 2 ** 31, 2 ** 32, -(2 ** 32) - 1, 2 ** 53 - 1, -(2 ** 53) + 1];
const TEXTS = [
  "",
  "a",
  "orders",
  "grüße",
  "漢字😀",
  "x".repeat(63),
  "y".repeat(64),
  "z".repeat(65),
];
const LONG_TEXTS = [
  "t".repeat(126),
  "u".repeat(127),
  "v".repeat(249),
  "ü".repeat(64),
  "w".repeat(250),
];

function bytesOf(prng: Prng, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => prng.below(256));
}

function integer(prng: Prng, bits: number): number {
  const high = 2 ** (bits - 1) - 1;
  return prng.pick([0, -1, 1, 127, -128, high, -high - 1, prng.between(-128, 127)]);
}

function unsigned(prng: Prng, bits: number): number {
  return prng.pick([0, 1, 2 ** bits - 1, 2 ** (bits - 1), prng.below(256)]);
}

function scalar(prng: Prng, kind: TypeNode["kind"]): unknown {
  switch (kind) {
    case "bool":
      return prng.chance(1, 2);
    case "int8":
      return integer(prng, 8);
    case "int16":
      return integer(prng, 16);
    case "int32":
      return integer(prng, 32);
    case "uint16":
      return unsigned(prng, 16);
    case "uint32":
      return unsigned(prng, 32);
    case "int64":
      return prng.chance(1, 2) ? prng.pick(INT64_EDGES) : prng.u32() * 2 ** prng.below(21);
    case "float64":
      return prng.pick([0, 1.5, -2e300, Infinity, prng.u32() / 7]);
    case "uuid":
      return prng.chance(1, 4) ? ZERO_UUID : (uuidFromBytes(bytesOf(prng, 16)) as Uuid);
    case "string":
      return prng.chance(1, 8) ? prng.pick(LONG_TEXTS) : prng.pick(TEXTS);
    default:
      return bytesOf(prng, prng.chance(1, 8) ? prng.between(126, 300) : prng.below(5));
  }
}

/** A value that the version can say; fields that it lacks are set only where that is ignored. */
export function randomValue(prng: Prng, type: TypeNode, when: At): unknown {
  if (type.kind === "array") {
    const length = prng.pick([0, 1, 1, 2, 3]);
    return Array.from({ length }, () => randomValue(prng, type.element, when));
  }
  if (type.kind !== "struct") return scalar(prng, type.kind);
  const value: Value = {};
  for (const field of type.fields) {
    const leaveOut = hasFallback(field) && prng.chance(1, 6);
    if (leaveOut) continue;
    if (exists(field, when)) value[field.name] = fieldValue(prng, field, when);
    else if (field.ignorable && prng.chance(1, 2)) value[field.name] = anyValue(prng, field);
  }
  return value;
}

const fieldValue = (prng: Prng, field: FieldNode, when: At): unknown =>
  isNullable(field, when) && prng.chance(1, 4) ? null : randomValue(prng, field.type, when);

/** A value for a field that will be ignored: not one that any version would have to check. */
const anyValue = (prng: Prng, field: FieldNode): unknown =>
  field.type.kind === "array" || field.type.kind === "struct"
    ? fallback(field)
    : scalar(prng, field.type.kind);

const hasFallback = (field: FieldNode): boolean =>
  field.default !== undefined ||
  field.tag >= 0 ||
  field.ignorable ||
  field.since > 0 ||
  field.until !== Infinity;

export function fallback(field: FieldNode): unknown {
  if (field.default !== undefined) return field.default;
  return zero(field.type);
}

function zero(type: TypeNode): unknown {
  switch (type.kind) {
    case "bool":
      return false;
    case "string":
      return "";
    case "uuid":
      return ZERO_UUID;
    case "bytes":
      return new Uint8Array(0);
    case "records":
      return null;
    case "array":
      return [];
    case "struct":
      return Object.fromEntries(type.fields.map((field) => [field.name, fallback(field)]));
    default:
      return 0;
  }
}

/** What decode must give for a value that was encoded: all fields, absent ones as fallbacks. */
export function expectedValue(value: unknown, type: TypeNode, when: At): unknown {
  if (value === null) return null;
  if (type.kind === "array") {
    return (value as unknown[]).map((item) => expectedValue(item, type.element, when));
  }
  if (type.kind !== "struct") return value;
  const source = value as Value;
  const result: Value = {};
  for (const field of type.fields) {
    const set = source[field.name];
    const lost = set === undefined || !exists(field, when);
    result[field.name] = lost ? fallback(field) : expectedValue(set, field.type, when);
  }
  return result;
}

/** Replaces the spans of a decoded message by the bytes that they stand for. */
export function withBytes(value: unknown, type: TypeNode, buffer: Uint8Array): unknown {
  if (value === null) return null;
  if (type.kind === "records") {
    const span = value as { offset: number; length: number };
    return buffer.slice(span.offset, span.offset + span.length);
  }
  if (type.kind === "array") {
    return (value as unknown[]).map((item) => withBytes(item, type.element, buffer));
  }
  if (type.kind !== "struct") return value;
  const source = value as Value;
  const entries = type.fields.map((field) => [
    field.name,
    withBytes(source[field.name], field.type, buffer),
  ]);
  return Object.fromEntries(entries) as Value;
}
