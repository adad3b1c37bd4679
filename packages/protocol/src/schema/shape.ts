import type { FieldNode, ScalarKind, TypeNode } from "./types.ts";
import { inVersion } from "./types.ts";

/** One version of a message: what the compiler works for. */
export interface Target {
  /** For error messages and file names in stack traces, such as `ProduceRequest`. */
  readonly name: string;
  readonly version: number;
  /** Compact lengths, and tagged fields behind every struct. */
  readonly flexible: boolean;
}

/** Bytes that every value of a type takes on the wire, or 0 when it varies. */
export function fixedBytes(type: TypeNode): number {
  switch (type.kind) {
    case "bool":
    case "int8":
      return 1;
    case "int16":
    case "uint16":
      return 2;
    case "int32":
    case "uint32":
      return 4;
    case "int64":
    case "float64":
      return 8;
    case "uuid":
      return 16;
    default:
      return 0;
  }
}

/** Fewest bytes that a value of a type takes on the wire: what bounds the count of an array. */
export function leastBytes(type: TypeNode, target: Target): number {
  switch (type.kind) {
    case "string":
      return target.flexible ? 1 : 2;
    case "bytes":
    case "records":
    case "array":
      return target.flexible ? 1 : 4;
    case "struct": {
      let bytes = target.flexible ? 1 : 0;
      for (const field of placedFields(type.fields, target))
        bytes += leastFieldBytes(field, target);
      return bytes;
    }
    default:
      return fixedBytes(type);
  }
}

function leastFieldBytes(field: FieldNode, target: Target): number {
  const nullable = target.version >= field.nullableSince;
  return nullable && field.type.kind === "struct" ? 1 : leastBytes(field.type, target);
}

/** Rough bytes of memory that an element of an array takes, beside strings and inner arrays. */
export function elementCostBytes(type: TypeNode): number {
  // A cell of the array; an object has a header and a cell per field, and fields that are absent
  // from a version are filled in all the same.
  if (type.kind !== "struct") return type.kind === "array" ? 40 : 8;
  return 24 + type.fields.reduce((bytes, field) => bytes + fallbackCostBytes(field.type), 0);
}

function fallbackCostBytes(type: TypeNode): number {
  if (type.kind === "struct") return elementCostBytes(type);
  return type.kind === "array" || type.kind === "bytes" ? 40 : 8;
}

/** Fields that are encoded in their place in this version. */
export const placedFields = (fields: readonly FieldNode[], target: Target): FieldNode[] =>
  fields.filter((field) => inVersion(field, target.version) && !isTagged(field, target));

/** Fields that are encoded as tagged ones in this version, by tag. */
export const taggedFields = (fields: readonly FieldNode[], target: Target): FieldNode[] =>
  fields
    .filter((field) => inVersion(field, target.version) && isTagged(field, target))
    .toSorted((a, b) => a.tag - b.tag);

const isTagged = (field: FieldNode, target: Target): boolean => field.tag >= 0 && target.flexible;

/** Whether the version has the field at all: a tagged one exists in flexible versions only. */
export const isPresent = (field: FieldNode, target: Target): boolean =>
  inVersion(field, target.version) && (field.tag < 0 || target.flexible);

/** The method of Reader and Writer for a type of varying width (or the kind's own name). */
export function methodName(kind: ScalarKind, nullable: boolean, target: Target): string {
  if (kind !== "string" && kind !== "bytes" && kind !== "records") return kind;
  const word = { string: "String", bytes: "BytesField", records: "Records" }[kind];
  return prefixed(word, nullable, target);
}

/** The method of Reader and Writer for an array's count. */
export const countMethodName = (nullable: boolean, target: Target): string =>
  prefixed("Count", nullable, target);

function prefixed(word: string, nullable: boolean, target: Target): string {
  const name = `${nullable ? "Nullable" : ""}${target.flexible ? "Compact" : ""}${word}`;
  return name.charAt(0).toLowerCase() + name.slice(1);
}

/** Source text of a fresh value: a field's fallback. */
export function literalText(value: unknown): string {
  if (value instanceof Uint8Array) return "new Uint8Array(0)";
  if (Array.isArray(value)) return "[]";
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).map(([name, inner]) => `${name}: ${literalText(inner)}`);
  return `{ ${entries.join(", ")} }`;
}
