import type { FieldNode, TypeNode } from "../src/index.ts";
import { uuidToBytes } from "../src/index.ts";
import type { At, Value } from "./random-value.ts";
import { exists, fallback, isNullable } from "./random-value.ts";

/**
 * The encoding once more, written for clarity alone: it shares nothing with the compiler, so that
 * the two check each other. It also knows where the structure of a message is (lengths, counts,
 * markers, tags), so that a test can lie there.
 */

export type SiteKind = "int16" | "int32" | "uvarint" | "marker" | "tagCount" | "tagSize";

export interface Site {
  readonly kind: SiteKind;
  /** The honest value: a length, a count (compact ones plus one), a marker. */
  readonly value: number;
  /** Where it lies in the message, and how many bytes it takes. */
  readonly position: number;
  readonly width: number;
  readonly field: string;
}

/** Extra tagged fields for each struct, raw: [tag, bytes]. */
export type ExtraTags = readonly (readonly [tag: number, bytes: readonly number[]])[];

export const uvarintBytes = (value: number): number[] => {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  return [...bytes, rest];
};

export const bigEndian = (value: bigint, bytes: number): number[] =>
  Array.from({ length: bytes }, (_, i) => Number((value >> BigInt(8 * (bytes - 1 - i))) & 0xffn));

export class WireModel {
  bytes: number[] = [];
  readonly sites: Site[] = [];

  constructor(
    private readonly when: At,
    private readonly extraTags: ExtraTags = [],
  ) {}

  message(type: TypeNode, value: unknown): this {
    this.value(type, value, false, "");
    return this;
  }

  private push(bytes: Iterable<number>): void {
    for (const byte of bytes) this.bytes.push(byte);
  }

  private site(kind: SiteKind, value: number, honest: number[], field: string): void {
    this.sites.push({ kind, value, position: this.bytes.length, width: honest.length, field });
    this.push(honest);
  }

  private int(value: number, bytes: number): void {
    this.push(bigEndian(BigInt(value), bytes));
  }

  /** A length or count; -1 for null. */
  private length(length: number, wide: boolean, field: string): void {
    if (this.when.flexible) this.site("uvarint", length + 1, uvarintBytes(length + 1), field);
    else if (wide) this.site("int32", length, bigEndian(BigInt(length), 4), field);
    else this.site("int16", length, bigEndian(BigInt(length), 2), field);
  }

  private value(type: TypeNode, value: unknown, nullable: boolean, field: string): void {
    switch (type.kind) {
      case "array":
        this.length(value === null ? -1 : (value as unknown[]).length, true, field);
        for (const item of (value as unknown[] | null) ?? []) {
          this.value(type.element, item, false, field);
        }
        return;
      case "struct":
        if (nullable)
          this.site("marker", value === null ? -1 : 1, [value === null ? 255 : 1], field);
        if (value !== null) this.struct(type.fields, value as Value, field);
        return;
      case "string": {
        const text = value === null ? null : new TextEncoder().encode(value as string);
        this.length(text?.byteLength ?? -1, false, field);
        this.push(text ?? []);
        return;
      }
      case "bytes":
      case "records": {
        const content = value as Uint8Array | null;
        this.length(content?.byteLength ?? -1, true, field);
        this.push(content ?? []);
        return;
      }
      default:
        this.scalar(type.kind, value);
    }
  }

  private scalar(kind: TypeNode["kind"], value: unknown): void {
    if (kind === "bool") this.int(value === true ? 1 : 0, 1);
    else if (kind === "uuid") this.push(uuidToBytes(value as string));
    else if (kind === "float64") {
      const view = new DataView(new ArrayBuffer(8));
      view.setFloat64(0, value as number);
      this.push(new Uint8Array(view.buffer));
    } else {
      const bits = Number(/\d+/.exec(kind)?.[0]);
      this.int(value as number, bits / 8);
    }
  }

  private struct(fields: readonly FieldNode[], value: Value, path: string): void {
    const tagged: [number, FieldNode, unknown][] = [];
    for (const field of fields) {
      if (!exists(field, this.when)) continue;
      const set = value[field.name] === undefined ? fallback(field) : value[field.name];
      const name = path === "" ? field.name : `${path}.${field.name}`;
      if (field.tag < 0) this.value(field.type, set, isNullable(field, this.when), name);
      else if (!Bun.deepEquals(complete(set, field.type), fallback(field))) {
        tagged.push([field.tag, field, set]);
      }
    }
    if (this.when.flexible) this.tags(tagged, path);
  }

  private tags(tagged: [number, FieldNode, unknown][], path: string): void {
    tagged.sort((a, b) => a[0] - b[0]);
    const count = tagged.length + this.extraTags.length;
    this.site("tagCount", count, uvarintBytes(count), path);
    for (const [tag, field, set] of tagged) {
      this.push(uvarintBytes(tag));
      this.tagged(field, set, path === "" ? field.name : `${path}.${field.name}`);
    }
    for (const [tag, bytes] of this.extraTags) {
      this.push(uvarintBytes(tag));
      this.push(uvarintBytes(bytes.length));
      this.push(bytes);
    }
  }

  private tagged(field: FieldNode, set: unknown, name: string): void {
    // The content is written apart to learn its size; its sites are not listed.
    const inner = new WireModel(this.when, this.extraTags);
    inner.value(field.type, set, false, name);
    this.site("tagSize", inner.bytes.length, uvarintBytes(inner.bytes.length), name);
    this.push(inner.bytes);
  }
}

/** A struct with all of its fields, as decode would give it. */
function complete(value: unknown, type: TypeNode): unknown {
  if (value === null || type.kind !== "struct") return value;
  const source = value as Value;
  const entries = type.fields.map((field) => {
    const set = source[field.name];
    return [field.name, set === undefined ? fallback(field) : complete(set, field.type)];
  });
  return Object.fromEntries(entries) as Value;
}
