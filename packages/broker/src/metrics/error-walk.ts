import type { AnyApi, TypeNode } from "@mantou/protocol";

/** Calls `count` with every error code of a response that is not NONE. */
export type ErrorWalk = (response: unknown, count: (errorCode: number) => void) => void;

const NOTHING: ErrorWalk = () => {};

/**
 * Finds the error codes of an API's responses. Compiled from the schema to straight-line code, as
 * the codecs are: it runs for every answer, and a walk by names would cost more than the encoding.
 */
export function compileErrorWalk(api: AnyApi): ErrorWalk {
  const lines: string[] = [];
  walkStruct(api.response.schema, "response", 0, lines);
  if (lines.length === 0) return NOTHING;
  // oxlint-disable-next-line typescript/no-implied-eval -- names come from our own schemas only
  return new Function("response", "count", lines.join("\n")) as ErrorWalk;
}

function walkStruct(type: TypeNode, path: string, depth: number, lines: string[]): void {
  if (type.kind !== "struct") return;
  for (const { name, type: field } of type.fields) {
    const value = `${path}.${name}`;
    if (field.kind === "int16" && name === "errorCode") {
      // Absent where the encoder shall take the default, which is NONE.
      lines.push(`if (${value}) count(${value});`);
    } else if (field.kind === "struct") {
      nested(`if (${value}) {`, (inner) => walkStruct(field, value, depth + 1, inner), lines);
    } else if (field.kind === "array") {
      const item = `item${depth}`;
      const head = `if (${value}) for (const ${item} of ${value}) {`;
      nested(head, (inner) => walkStruct(field.element, item, depth + 1, inner), lines);
    }
  }
}

/** A block, left out where it would be empty. */
function nested(head: string, body: (inner: string[]) => void, lines: string[]): void {
  const inner: string[] = [];
  body(inner);
  if (inner.length > 0) lines.push(head, ...inner, "}");
}
