import type { Uuid } from "@mantou/base";
import { ZERO_UUID } from "@mantou/base";
import type { Records, Span } from "./records-field.ts";

/**
 * The schema language. A message is a `struct` of fields; a field is a bare type (in every version,
 * no default) or `f(type, options)`. A schema is data: `codec.ts` compiles it per version.
 */

export type ScalarKind =
  | "bool"
  | "int8"
  | "int16"
  | "uint16"
  | "int32"
  | "uint32"
  | "int64"
  | "float64"
  | "uuid"
  | "string"
  | "bytes"
  | "records";

/** A type as the compiler sees it. */
export type TypeNode =
  | { readonly kind: ScalarKind }
  | { readonly kind: "array"; readonly element: TypeNode }
  | { readonly kind: "struct"; readonly fields: readonly FieldNode[] };

/** A field as the compiler sees it; the versions are those of the message that holds it. */
export interface FieldNode {
  readonly name: string;
  readonly type: TypeNode;
  /** First and last version that has the field. */
  readonly since: number;
  readonly until: number;
  /** First version in which the field may be null; Infinity: never. */
  readonly nullableSince: number;
  /** Tag of a tagged field, or -1 for a field in its place. */
  readonly tag: number;
  /** A value is dropped in silence where the version does not have the field. */
  readonly ignorable: boolean;
  /** The declared default, or undefined: then the fallback is the type's zero value. */
  readonly default: unknown;
}

/** A wire type that decodes to `Out` and encodes from `In`. */
export class Type<Out, In = Out> {
  declare readonly out: Out;
  declare readonly input: In;
  declare readonly optional: false;

  constructor(readonly node: TypeNode) {}
}

/** A type with the options of a field. */
export class Field<Out, In, Optional extends boolean> {
  declare readonly out: Out;
  declare readonly input: In;
  declare readonly optional: Optional;

  constructor(
    readonly node: TypeNode,
    readonly options: FieldOptions<unknown>,
  ) {}
}

export interface FieldOptions<Value> {
  /** First version that has the field. Without: all of the message. */
  readonly since?: number;
  /** Last version that has the field. */
  readonly until?: number;
  /** May be null: in every version that has it, or from the given one. */
  readonly nullable?: true | number;
  /** What an absent field decodes to, and what is encoded for undefined. */
  readonly default?: Value | null;
  /** Makes it a tagged field of the flexible versions in its range. */
  readonly tag?: number;
  /** Dropped in silence, not refused, when it is set in a version without the field. */
  readonly ignorable?: true;
}

/** Options that give a field something to fall back on, so that an encoder may leave it out. */
type OptionalKey = "since" | "until" | "default" | "tag" | "ignorable";
type OrNull<T, O> = O extends { readonly nullable: true | number } ? T | null : T;
type IsOptional<O> = keyof O & OptionalKey extends never ? false : true;

/** What decode gives: every field present. */
export type Infer<S extends { readonly out: unknown }> = S["out"];
/** What encode takes: fields with a fallback may be left out. */
export type InferInput<S extends { readonly input: unknown }> = S["input"];

interface AnyField {
  readonly node: TypeNode;
  readonly out: unknown;
  readonly input: unknown;
  readonly optional: boolean;
}
type Fields = Readonly<Record<string, AnyField>>;
type Output<F extends Fields> = { -readonly [K in keyof F]: F[K]["out"] };
type Input<F extends Fields> = {
  readonly [K in keyof F as F[K]["optional"] extends true ? never : K]: F[K]["input"];
} & {
  readonly [K in keyof F as F[K]["optional"] extends true ? K : never]?: F[K]["input"] | undefined;
};

export const bool = new Type<boolean>({ kind: "bool" });
export const int8 = new Type<number>({ kind: "int8" });
export const int16 = new Type<number>({ kind: "int16" });
export const uint16 = new Type<number>({ kind: "uint16" });
export const int32 = new Type<number>({ kind: "int32" });
export const uint32 = new Type<number>({ kind: "uint32" });
/** Saturates to +-(2^53 - 1) on decode; encode takes safe integers only. */
export const int64 = new Type<number>({ kind: "int64" });
export const float64 = new Type<number>({ kind: "float64" });
export const uuid = new Type<Uuid>({ kind: "uuid" });
/** At most 32767 bytes of UTF-8, in either encoding. */
export const string = new Type<string>({ kind: "string" });
/** Copied on decode. For record data use `records`. */
export const bytes = new Type<Uint8Array>({ kind: "bytes" });
/** A span of the decoded buffer; nothing is copied. */
export const records = new Type<Span, Exclude<Records, null>>({ kind: "records" });

/** A list; the wire's null list is a matter of the field (`nullable`). */
export function array<Out, In>(element: Type<Out, In>): Type<Out[], readonly In[]> {
  return new Type({ kind: "array", element: element.node });
}

/** Fields in the order of the wire. Field names are Kafka's with a lower-case first letter. */
export function struct<const F extends Fields>(fields: F): Type<Output<F>, Input<F>> {
  const nodes: FieldNode[] = [];
  for (const name of Object.keys(fields)) nodes.push(fieldNode(name, fields[name] as AnyField));
  return new Type({ kind: "struct", fields: nodes });
}

/** A field that is not simply there in every version, or that has a default. */
export function f<Out, In, const O extends FieldOptions<In> = Record<never, never>>(
  type: Type<Out, In>,
  options: O,
): Field<OrNull<Out, O>, OrNull<In, O>, IsOptional<O>> {
  return new Field(type.node, options);
}

const FIELD_NAME = /^[a-z][A-Za-z0-9]*$/;
/** Tags are tracked in one 32-bit mask while a struct is decoded. */
const TAG_MAX = 30;

function fieldNode(name: string, field: AnyField): FieldNode {
  // Names become identifiers in compiled code, so their alphabet is part of the contract.
  if (!FIELD_NAME.test(name)) throw new TypeError(`schema: field name ${JSON.stringify(name)}`);
  const options = field instanceof Field ? field.options : {};
  const tag = options.tag ?? -1;
  if (tag < -1 || tag > TAG_MAX) throw new TypeError(`schema: ${name} has tag ${tag}`);
  const nullable = options.nullable;
  const since = options.since ?? 0;
  const node: FieldNode = {
    name,
    type: field.node,
    since,
    until: options.until ?? Infinity,
    nullableSince: nullable === undefined ? Infinity : nullable === true ? 0 : nullable,
    tag,
    ignorable: options.ignorable ?? false,
    default: options.default,
  };
  checkTagged(node);
  if (node.default === null && nullable === undefined) {
    throw new TypeError(`schema: ${name} has default null and is not nullable`);
  }
  return node;
}

function checkTagged(field: FieldNode): void {
  if (field.tag < 0) return;
  const kind = field.type.kind;
  // A struct that may be null is written behind its marker, and left out whole where it is null.
  const mayBeNull = kind === "struct" && field.nullableSince !== Infinity;
  const refused = kind === "records" || (mayBeNull && field.default !== null);
  if (refused) throw new TypeError(`schema: ${field.name} of type ${kind} cannot be tagged`);
}

/** What an absent field decodes to, as a fresh value. */
export function fallbackOf(field: FieldNode): unknown {
  if (field.default !== undefined) return field.default;
  return zeroOf(field.type);
}

function zeroOf(type: TypeNode): unknown {
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
      return Object.fromEntries(type.fields.map((field) => [field.name, fallbackOf(field)]));
    default:
      return 0;
  }
}

export const inVersion = (field: FieldNode, version: number): boolean =>
  version >= field.since && version <= field.until;
