import type { Reader } from "./reader.ts";
import type { Target } from "./shape.ts";
import {
  countMethodName,
  elementCostBytes,
  fixedBytes,
  isPresent,
  leastBytes,
  literalText,
  methodName,
  placedFields,
  taggedFields,
} from "./shape.ts";
import type { FieldNode, TypeNode } from "./types.ts";
import { fallbackOf } from "./types.ts";
import { readUuid } from "./uuid.ts";

/** @param path where the traced form keeps the names that lead to the field being read */
export type Decoder = (reader: Reader, path: string[]) => unknown;

/**
 * Compiles a schema for one version into straight-line code: one function per struct, one bounds
 * check per run of fixed-width fields, one object literal per struct with all of its fields.
 *
 * The traced form is slower and notes which field it reads. It exists to name the field in an
 * error, and is compiled only once the fast form has failed (see codec.ts).
 */
export function compileDecoder(type: TypeNode, target: Target, traced: boolean): Decoder {
  const text = new DecodeCompiler(target, traced).text(type);
  const source = `${text}\n//# sourceURL=mantou:${target.name}-v${target.version}-decode.js`;
  // The text is made of the schema's own names and numbers, never of input.
  return new Function("readUuid", source)(readUuid) as Decoder;
}

/** Text of the compiled functions, for those who want to read it. */
export const decoderText = (type: TypeNode, target: Target): string =>
  new DecodeCompiler(target, false).text(type);

/** Variables are prefixed so that no field name meets a word of the language or of ours. */
const variableOf = (field: FieldNode): string => `$${field.name}`;

const fallbackText = (field: FieldNode): string => literalText(fallbackOf(field));

/** The expression that reads a value of fixed width, `at` bytes behind `p`. */
function readAt(type: TypeNode, at: number): string {
  const place = at === 0 ? "p" : `p + ${at}`;
  switch (type.kind) {
    case "bool":
      return `view.getUint8(${place}) !== 0`;
    case "int8":
      return `view.getInt8(${place})`;
    case "int16":
      return `view.getInt16(${place})`;
    case "uint16":
      return `view.getUint16(${place})`;
    case "int32":
      return `view.getInt32(${place})`;
    case "uint32":
      return `view.getUint32(${place})`;
    case "int64":
      return `r.int64At(${place})`;
    case "float64":
      return `view.getFloat64(${place})`;
    default:
      return `readUuid(view, ${place})`;
  }
}

class DecodeCompiler {
  private readonly functions: string[] = [];
  private readonly functionOf = new Map<TypeNode, string>();
  private lines: string[] = [];

  constructor(
    private readonly target: Target,
    private readonly traced: boolean,
  ) {}

  text(type: TypeNode): string {
    const main = this.structFunction(type);
    return `"use strict";\n${this.functions.join("\n")}\nreturn ${main};`;
  }

  /** The name of the function that decodes a struct; written on first use. */
  private structFunction(type: TypeNode): string {
    const known = this.functionOf.get(type);
    if (known !== undefined) return known;
    if (type.kind !== "struct") throw new TypeError("schema: a message is a struct");
    const name = `struct${this.functionOf.size}`;
    this.functionOf.set(type, name);
    const outer = this.lines;
    this.lines = [];
    this.structBody(type.fields);
    this.functions.push(`function ${name}(r, path) {\n${this.lines.join("\n")}\n}`);
    this.lines = outer;
    return name;
  }

  private structBody(fields: readonly FieldNode[]): void {
    this.lines.push("const view = r.view;", "let p = 0;");
    this.placed(placedFields(fields, this.target));
    const tagged = taggedFields(fields, this.target);
    if (tagged.length > 0) this.tagged(tagged);
    else if (this.target.flexible) this.lines.push("r.skipTags();");
    const entries = fields.map((field) => {
      const present = isPresent(field, this.target);
      return `${field.name}: ${present ? variableOf(field) : fallbackText(field)}`;
    });
    this.lines.push(`return { ${entries.join(", ")} };`);
  }

  /** Fields in their place; neighbours of fixed width share one bounds check. */
  private placed(fields: readonly FieldNode[]): void {
    let run: FieldNode[] = [];
    for (const field of fields) {
      const fixed = fixedBytes(field.type) > 0;
      if (fixed && !this.traced) {
        run.push(field);
        continue;
      }
      this.run(run);
      run = [];
      this.lines.push(`let ${variableOf(field)};`);
      this.value(field);
    }
    this.run(run);
  }

  private run(fields: readonly FieldNode[]): void {
    if (fields.length === 0) return;
    const reads: string[] = [];
    let bytes = 0;
    for (const field of fields) {
      reads.push(`const ${variableOf(field)} = ${readAt(field.type, bytes)};`);
      bytes += fixedBytes(field.type);
    }
    this.lines.push(`p = r.take(${bytes});`, ...reads);
  }

  private tagged(fields: readonly FieldNode[]): void {
    for (const field of fields) {
      this.lines.push(`let ${variableOf(field)} = ${fallbackText(field)};`);
    }
    this.lines.push("let seen = 0;", "for (let n = r.tagCount(); n > 0; n--) {");
    this.lines.push("const tag = r.uvarint();", "const outer = r.enterTag();", "switch (tag) {");
    for (const field of fields) {
      const bit = 1 << field.tag;
      this.lines.push(`case ${field.tag}:`);
      this.lines.push(`if ((seen & ${bit}) !== 0) r.fail("tag ${field.tag} comes twice");`);
      this.lines.push(`seen |= ${bit};`);
      this.value(field);
      this.lines.push("r.leaveTag(outer);", "break;");
    }
    this.lines.push("default:", "r.skipTag(outer);", "}", "}");
  }

  /** Reads a field into its variable. */
  private value(field: FieldNode): void {
    this.step(`".${field.name}"`);
    const nullable = this.target.version >= field.nullableSince;
    this.read(variableOf(field), field.type, nullable, 0);
    this.stepBack();
  }

  private step(text: string): void {
    if (this.traced) this.lines.push(`path.push(${text});`);
  }

  private stepBack(): void {
    if (this.traced) this.lines.push("path.pop();");
  }

  private read(variable: string, type: TypeNode, nullable: boolean, depth: number): void {
    if (type.kind === "array") {
      this.array(variable, type.element, nullable, depth);
    } else if (type.kind === "struct") {
      const call = `${this.structFunction(type)}(r, path)`;
      this.lines.push(`${variable} = ${nullable ? `r.present() ? ${call} : null` : call};`);
    } else {
      this.lines.push(`${variable} = r.${methodName(type.kind, nullable, this.target)}();`);
    }
  }

  private array(variable: string, element: TypeNode, nullable: boolean, depth: number): void {
    // No element is empty in any version (a test holds that), so that a count is always bounded.
    const least = leastBytes(element, this.target);
    const count = `n${depth}`;
    const method = countMethodName(nullable, this.target);
    this.lines.push("{", `const ${count} = r.${method}(${least}, ${elementCostBytes(element)});`);
    if (nullable) this.lines.push(`if (${count} < 0) ${variable} = null; else {`);
    this.lines.push(`const list = ${variable} = [];`);
    const width = fixedBytes(element);
    if (width > 0) this.fixedElements(element, width, count);
    else this.elements(element, count, depth);
    if (nullable) this.lines.push("}");
    this.lines.push("}");
  }

  /** The count was held against what remains, so these reads need no check of their own. */
  private fixedElements(element: TypeNode, width: number, count: string): void {
    this.lines.push(`p = r.take(${count} * ${width});`);
    this.lines.push(`for (let i = 0; i < ${count}; i++, p += ${width}) {`);
    this.lines.push(`list.push(${readAt(element, 0)});`, "}");
  }

  private elements(element: TypeNode, count: string, depth: number): void {
    this.lines.push(`for (let i = 0; i < ${count}; i++) {`, "let item;");
    this.step('"[" + i + "]"');
    this.read("item", element, false, depth + 1);
    this.stepBack();
    this.lines.push("list.push(item);", "}");
  }
}
