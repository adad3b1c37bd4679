import type { Target } from "./shape.ts";
import {
  countMethodName,
  fixedBytes,
  isPresent,
  literalText,
  methodName,
  placedFields,
  taggedFields,
} from "./shape.ts";
import type { FieldNode, TypeNode } from "./types.ts";
import { fallbackOf } from "./types.ts";
import type { Writer } from "./writer.ts";

/** @param path where the traced form keeps the names that lead to the field being written */
export type Encoder = (writer: Writer, value: unknown, path: string[]) => void;

/**
 * Compiles a schema for one version into straight-line code: one function per struct, one
 * reservation per run of fixed-width fields. As with decoders there is a traced form that names
 * the field at fault.
 */
export function compileEncoder(type: TypeNode, target: Target, traced: boolean): Encoder {
  const text = new EncodeCompiler(target, traced).text(type);
  const source = `${text}\n//# sourceURL=mantou:${target.name}-v${target.version}-encode.js`;
  // The text is made of the schema's own names and numbers, never of input.
  return new Function(source)() as Encoder;
}

/** Text of the compiled functions, for those who want to read it. */
export const encoderText = (type: TypeNode, target: Target): string =>
  new EncodeCompiler(target, false).text(type);

const variableOf = (field: FieldNode): string => `$${field.name}`;

/** The statement that refuses a value of fixed width which the type cannot hold. */
function checkText(type: TypeNode, value: string): string {
  const refuse = `w.failType("${type.kind}", ${value});`;
  switch (type.kind) {
    case "bool":
      return `if (typeof ${value} !== "boolean") ${refuse}`;
    case "int8":
      return `if (((${value} << 24) >> 24) !== ${value}) ${refuse}`;
    case "int16":
      return `if (((${value} << 16) >> 16) !== ${value}) ${refuse}`;
    case "uint16":
      return `if ((${value} & 0xffff) !== ${value}) ${refuse}`;
    case "int32":
      return `if ((${value} | 0) !== ${value}) ${refuse}`;
    case "uint32":
      return `if ((${value} >>> 0) !== ${value}) ${refuse}`;
    case "int64":
      return `w.checkInt64(${value});`;
    case "float64":
      return `if (typeof ${value} !== "number") ${refuse}`;
    default:
      return "";
  }
}

/** The statement that writes a checked value of fixed width, `at` bytes behind `p`. */
function writeAt(type: TypeNode, at: number, value: string): string {
  const place = at === 0 ? "p" : `p + ${at}`;
  switch (type.kind) {
    case "bool":
      return `view.setUint8(${place}, ${value} ? 1 : 0);`;
    case "int8":
      return `view.setInt8(${place}, ${value});`;
    case "int16":
      return `view.setInt16(${place}, ${value});`;
    case "uint16":
      return `view.setUint16(${place}, ${value});`;
    case "int32":
      return `view.setInt32(${place}, ${value});`;
    case "uint32":
      return `view.setUint32(${place}, ${value});`;
    case "int64":
      return `w.int64At(${place}, ${value});`;
    case "float64":
      return `view.setFloat64(${place}, ${value});`;
    default:
      return `w.uuidAt(${place}, ${value});`;
  }
}

/** Whether encode may find the field undefined and still knows what to write. */
const hasFallback = (field: FieldNode): boolean =>
  field.default !== undefined ||
  field.tag >= 0 ||
  field.ignorable ||
  field.since > 0 ||
  field.until !== Infinity;

class EncodeCompiler {
  private readonly functions: string[] = [];
  private readonly structOf = new Map<TypeNode, string>();
  private readonly defaultOf = new Map<TypeNode, string>();
  private lines: string[] = [];

  constructor(
    private readonly target: Target,
    private readonly traced: boolean,
  ) {}

  text(type: TypeNode): string {
    const main = this.structFunction(type);
    return `"use strict";\n${this.functions.join("\n")}\nreturn ${main};`;
  }

  private structFunction(type: TypeNode): string {
    const known = this.structOf.get(type);
    if (known !== undefined) return known;
    if (type.kind !== "struct") throw new TypeError("schema: a message is a struct");
    const name = `struct${this.structOf.size}`;
    this.structOf.set(type, name);
    const outer = this.lines;
    this.lines = [];
    this.structBody(type.fields);
    this.functions.push(`function ${name}(w, v, path) {\n${this.lines.join("\n")}\n}`);
    this.lines = outer;
    return name;
  }

  private structBody(fields: readonly FieldNode[]): void {
    this.lines.push(`if (typeof v !== "object" || v === null) w.failType("a struct", v);`);
    this.lines.push("let p = 0;");
    for (const field of fields) if (!isPresent(field, this.target)) this.absent(field);
    this.placed(placedFields(fields, this.target));
    const tagged = taggedFields(fields, this.target);
    if (tagged.length > 0) this.tagged(tagged);
    else if (this.target.flexible) this.lines.push("w.uvarint(0);");
  }

  /** A field that the version cannot say: only its fallback may be lost, unless it is ignorable. */
  private absent(field: FieldNode): void {
    if (field.ignorable) return;
    const value = `v.${field.name}`;
    const message = `is set, and version ${this.target.version} does not have it`;
    this.step(`".${field.name}"`);
    this.lines.push(`if (!(${this.isFallback(field, value)})) w.fail("${message}");`);
    this.stepBack();
  }

  /** The expression that tells whether a field holds nothing but its fallback. */
  private isFallback(field: FieldNode, value: string): string {
    const unset = `${value} === undefined`;
    const fallback = fallbackOf(field);
    if (fallback === null) return `${unset} || ${value} === null`;
    switch (field.type.kind) {
      case "array":
      case "bytes":
        return `${unset} || (${value} !== null && ${value}.length === 0)`;
      case "struct":
        return `${unset} || (${value} !== null && ${this.defaultFunction(field.type)}(${value}))`;
      default:
        return `${unset} || ${value} === ${literalText(fallback)}`;
    }
  }

  /** The name of a function that tells whether all of a struct's fields hold their fallback. */
  private defaultFunction(type: TypeNode): string {
    const known = this.defaultOf.get(type);
    if (known !== undefined) return known;
    if (type.kind !== "struct") throw new TypeError("schema: not a struct");
    const name = `isDefault${this.defaultOf.size}`;
    this.defaultOf.set(type, name);
    const terms = type.fields.map((field) => `(${this.isFallback(field, `v.${field.name}`)})`);
    this.functions.push(`function ${name}(v) {\nreturn ${terms.join("\n&& ")};\n}`);
    return name;
  }

  /** Fields in their place; neighbours of fixed width share one reservation. */
  private placed(fields: readonly FieldNode[]): void {
    let run: FieldNode[] = [];
    for (const field of fields) {
      this.load(field);
      if (fixedBytes(field.type) > 0 && !this.traced) {
        run.push(field);
        continue;
      }
      this.run(run);
      run = [];
      this.value(field);
    }
    this.run(run);
  }

  private load(field: FieldNode): void {
    const variable = variableOf(field);
    this.lines.push(`let ${variable} = v.${field.name};`);
    if (!hasFallback(field)) return;
    const text = literalText(fallbackOf(field));
    this.lines.push(`if (${variable} === undefined) ${variable} = ${text};`);
  }

  private run(fields: readonly FieldNode[]): void {
    if (fields.length === 0) return;
    const writes: string[] = [];
    let bytes = 0;
    for (const field of fields) {
      this.lines.push(checkText(field.type, variableOf(field)));
      writes.push(writeAt(field.type, bytes, variableOf(field)));
      bytes += fixedBytes(field.type);
    }
    // The view is read behind the reservation, which may have replaced it.
    this.lines.push(`p = w.reserve(${bytes});`, "{", "const view = w.view;", ...writes, "}");
  }

  private tagged(fields: readonly FieldNode[]): void {
    const set = fields.map((field) => `set${field.name}`);
    for (const field of fields) {
      this.lines.push(`const ${variableOf(field)} = v.${field.name};`);
      const test = this.isFallback(field, variableOf(field));
      this.lines.push(`const set${field.name} = ${test} ? 0 : 1;`);
    }
    this.lines.push(`w.uvarint(${set.join(" + ")});`);
    for (const field of fields) {
      this.lines.push(`if (set${field.name} !== 0) {`);
      this.lines.push(`const tagAt = w.startTag(${field.tag});`);
      this.value(field);
      this.lines.push("w.endTag(tagAt);", "}");
    }
  }

  /** Writes the variable of a field. */
  private value(field: FieldNode): void {
    this.step(`".${field.name}"`);
    const nullable = this.target.version >= field.nullableSince;
    this.write(variableOf(field), field.type, nullable);
    this.stepBack();
  }

  private step(text: string): void {
    if (this.traced) this.lines.push(`path.push(${text});`);
  }

  private stepBack(): void {
    if (this.traced) this.lines.push("path.pop();");
  }

  private write(variable: string, type: TypeNode, nullable: boolean): void {
    if (type.kind === "array") {
      this.array(variable, type.element, nullable);
    } else if (type.kind === "struct") {
      const call = `${this.structFunction(type)}(w, ${variable}, path);`;
      if (!nullable) this.lines.push(call);
      else this.lines.push(`if (w.present(${variable})) ${call}`);
    } else {
      this.lines.push(`w.${methodName(type.kind, nullable, this.target)}(${variable});`);
    }
  }

  private array(variable: string, element: TypeNode, nullable: boolean): void {
    const method = countMethodName(nullable, this.target);
    this.lines.push(`if (w.${method}(${variable})) {`, `const list = ${variable};`);
    const width = fixedBytes(element);
    if (width > 0 && !this.traced) {
      this.lines.push("for (let i = 0; i < list.length; i++) {", "const item = list[i];");
      this.lines.push(checkText(element, "item"), "}");
      this.lines.push(`p = w.reserve(list.length * ${width});`, "const view = w.view;");
      this.lines.push(`for (let i = 0; i < list.length; i++, p += ${width}) {`);
      this.lines.push(writeAt(element, 0, "list[i]"), "}");
    } else {
      this.lines.push("for (let i = 0; i < list.length; i++) {", "const item = list[i];");
      this.step('"[" + i + "]"');
      this.write("item", element, false);
      this.stepBack();
      this.lines.push("}");
    }
    this.lines.push("}");
  }
}
