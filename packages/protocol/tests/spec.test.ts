import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import type { Codec, FieldNode, TypeNode } from "../src/index.ts";
import {
  allApis,
  apiByKey,
  consumerAssignmentCodec,
  consumerSubscriptionCodec,
} from "../src/index.ts";

/**
 * Every schema against the protocol's own definitions, as data, where they are at hand: for each
 * version the flat list of fields with type, nullability, tag, default and ignorability.
 */

const SPEC = new URL("../../../../shared/spec/kafka-messages/api/", import.meta.url).pathname;
const present = existsSync(SPEC);
const reason = present ? "" : " (skipped: ../shared/spec is not beside the checkout)";

interface SpecField {
  readonly name: string;
  readonly type: string;
  readonly versions?: string;
  readonly nullableVersions?: string;
  readonly taggedVersions?: string;
  readonly tag?: number;
  readonly default?: string | number | boolean;
  readonly ignorable?: boolean | string;
  readonly fields?: readonly SpecField[];
}

interface SpecMessage {
  readonly apiKey?: number;
  readonly name: string;
  readonly listeners?: readonly string[];
  readonly validVersions: string;
  readonly flexibleVersions: string;
  readonly latestVersionUnstable?: boolean;
  readonly fields: readonly SpecField[];
  readonly commonStructs?: readonly SpecField[];
}

const load = (name: string): SpecMessage => {
  const text = readFileSync(`${SPEC}${name}.json`, "utf8");
  return JSON.parse(text.replace(/^\s*\/\/.*$/gm, "")) as SpecMessage;
};

/** "none", "3", "3+" or "0-7" as a closed range. */
function range(text: string | undefined): [number, number] {
  if (text === undefined || text === "none") return [Infinity, -Infinity];
  if (text.endsWith("+")) return [Number(text.slice(0, -1)), Infinity];
  const [low, high] = text.split("-").map(Number) as [number, number | undefined];
  return [low, high ?? low];
}

const within = (text: string | undefined, version: number): boolean =>
  version >= range(text)[0] && version <= range(text)[1];

const INT64_MAX = "9223372036854775807";

function specDefault(field: SpecField): string {
  if (field.default === undefined) return "zero";
  const text = String(field.default);
  if (text === "null") return "null";
  if (field.type === "bool") return text.toLowerCase();
  if (field.type === "string") return JSON.stringify(text);
  return text === INT64_MAX ? String(Number.MAX_SAFE_INTEGER) : String(Number(text));
}

const lowerFirst = (name: string): string => name.charAt(0).toLowerCase() + name.slice(1);

/** Lines such as `topics[].name: string, nullable, tag 3, default null, ignorable`. */
function specLines(message: SpecMessage, version: number): string[] {
  const structs = new Map(message.commonStructs?.map((struct) => [struct.name, struct.fields]));
  const lines: string[] = [];
  const walk = (fields: readonly SpecField[], prefix: string): void => {
    for (const field of fields) {
      if (!within(field.versions, version)) continue;
      const element = field.type.replace("[]", "");
      const inner = field.fields ?? structs.get(element);
      const kind = inner === undefined ? element : "struct";
      const list = field.type.startsWith("[]") ? "[]" : "";
      const path = `${prefix}${lowerFirst(field.name)}${list}`;
      const notes = [kind];
      if (within(field.nullableVersions, version)) notes.push("nullable");
      if (within(field.taggedVersions, version)) notes.push(`tag ${field.tag}`);
      notes.push(`default ${specDefault(field)}`);
      if (String(field.ignorable) === "true") notes.push("ignorable");
      lines.push(`${path}: ${notes.join(", ")}`);
      if (inner !== undefined) walk(inner, `${path}.`);
    }
  };
  walk(message.fields, "");
  return lines;
}

function ourLines(codec: Codec<unknown>, version: number): string[] {
  const lines: string[] = [];
  const walk = (fields: readonly FieldNode[], prefix: string): void => {
    for (const field of fields) {
      if (version < field.since || version > field.until) continue;
      const list = field.type.kind === "array" ? "[]" : "";
      const element: TypeNode = field.type.kind === "array" ? field.type.element : field.type;
      const path = `${prefix}${field.name}${list}`;
      const notes: string[] = [element.kind];
      if (version >= field.nullableSince) notes.push("nullable");
      if (field.tag >= 0) notes.push(`tag ${field.tag}`);
      notes.push(`default ${field.default === undefined ? "zero" : JSON.stringify(field.default)}`);
      if (field.ignorable) notes.push("ignorable");
      lines.push(`${path}: ${notes.join(", ")}`);
      if (element.kind === "struct") walk(element.fields, `${path}.`);
    }
  };
  if (codec.schema.kind === "struct") walk(codec.schema.fields, "");
  return lines;
}

function checkMessage(message: SpecMessage, codec: Codec<unknown>): void {
  const [low, high] = range(message.validVersions);
  expect([codec.minVersion, codec.maxVersion]).toEqual([low, high]);
  const flexible = range(message.flexibleVersions)[0];
  expect(codec.flexibleFrom).toBe(flexible);
  for (let version = low; version <= high; version++) {
    expect({ version, fields: ourLines(codec, version) }).toEqual({
      version,
      fields: specLines(message, version),
    });
  }
}

describe("schemas against the protocol's definitions", () => {
  test.skipIf(!present)(`every API that a broker listener serves is there${reason}`, () => {
    const served = readdirSync(SPEC)
      .filter((file) => file.endsWith("Request.json"))
      .map((file) => load(file.replace(".json", "")))
      .filter((message) => message.validVersions !== "none")
      .filter((message) => message.listeners?.includes("broker"));
    const expected = served.map((message) => `${message.apiKey} ${message.name}`).toSorted();
    const ours = allApis.map((api) => `${api.key} ${api.name}Request`).toSorted();
    expect(ours).toEqual(expected);
  });

  for (const api of allApis) {
    test.skipIf(!present)(`${api.name} request${reason}`, () => {
      const message = load(`${api.name}Request`);
      expect(message.apiKey).toBe(api.key);
      expect(message.latestVersionUnstable ?? false).toBe(api.latestVersionUnstable);
      expect([api.minVersion, api.maxVersion]).toEqual(range(message.validVersions));
      expect(api.flexibleFrom).toBe(api.request.flexibleFrom);
      checkMessage(message, api.request);
    });

    test.skipIf(!present)(`${api.name} response${reason}`, () => {
      checkMessage(load(`${api.name}Response`), api.response);
    });
  }

  test.skipIf(!present)(`the consumer protocol's messages${reason}`, () => {
    checkMessage(load("ConsumerProtocolSubscription"), consumerSubscriptionCodec);
    checkMessage(load("ConsumerProtocolAssignment"), consumerAssignmentCodec);
  });
});

describe("the list of APIs", () => {
  test("is in the order of keys, without doubles, and found by key", () => {
    const keys = allApis.map((api) => api.key);
    expect(keys).toEqual([...new Set(keys)].toSorted((a, b) => a - b));
    for (const api of allApis) expect(apiByKey(api.key)).toBe(api);
  });

  test("knows no key that was removed, is for controllers only, or is nonsense", () => {
    for (const key of [4, 5, 6, 7, 52, 56, 62, 95, 1000, -1, 0.5]) {
      expect(apiByKey(key)).toBeUndefined();
    }
  });
});
