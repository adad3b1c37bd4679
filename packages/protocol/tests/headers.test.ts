import { describe, expect, test } from "bun:test";
import {
  DecodeError,
  REQUEST_PREFIX_BYTES,
  Reader,
  Writer,
  apiVersionsApi,
  decodeRequestHeader,
  decodeResponseHeader,
  encodeRequestHeader,
  encodeResponseHeader,
  fetchApi,
  requestHeaderVersion,
  responseHeaderVersion,
  saslHandshakeApi,
} from "../src/index.ts";

/** Spaces show the fields. */
const hex = (text: string): string => text.replaceAll(" ", "");

const reader = (hex: string): Reader => new Reader(Uint8Array.fromHex(hex.replaceAll(" ", "")));

describe("request header", () => {
  test("is version 2 where the request is flexible", () => {
    expect(requestHeaderVersion(fetchApi, 11)).toBe(1);
    expect(requestHeaderVersion(fetchApi, 12)).toBe(2);
    expect(requestHeaderVersion(apiVersionsApi, 3)).toBe(2);
    expect(requestHeaderVersion(saslHandshakeApi, 1)).toBe(1);
  });

  test("has a client id with an int16 length, flexible or not", () => {
    const writer = new Writer(8);
    encodeRequestHeader(writer, fetchApi, 11, 7, "kcat");
    expect(writer.toBytes().toHex()).toBe(hex("0001 000b 00000007 00046b636174"));
    encodeRequestHeader(writer.reset(), fetchApi, 12, -1, null);
    expect(writer.toBytes().toHex()).toBe(hex("0001 000c ffffffff ffff 00"));
  });

  test("comes back, null as empty, unknown tags skipped, and leaves the body", () => {
    for (const [version, clientId] of [
      [11, "kcat"],
      [12, "kcat"],
      [12, null],
    ] as const) {
      const writer = new Writer(8);
      encodeRequestHeader(writer, fetchApi, version, 7, clientId);
      writer.int8(42);
      const source = new Reader(writer.toBytes());
      source.take(REQUEST_PREFIX_BYTES);
      expect(decodeRequestHeader(source, version === 12)).toEqual({ clientId: clientId ?? "" });
      expect(source.int8()).toBe(42);
    }
    const tagged = reader("0001 61 02 05 01 ff 06 00 2a");
    expect(decodeRequestHeader(tagged, true)).toEqual({ clientId: "a" });
    expect(tagged.int8()).toBe(42);
  });

  test("is refused where it is cut or lies", () => {
    for (const hex of [
      "",
      "00",
      "0002 61",
      "fffe",
      "0001 61",
      "0001 61 02 05",
      "0001 61 01 05 09 00",
    ]) {
      expect(() => decodeRequestHeader(reader(hex), true)).toThrow(DecodeError);
    }
  });
});

describe("response header", () => {
  test("is never flexible for ApiVersions", () => {
    expect(responseHeaderVersion(apiVersionsApi, 0)).toBe(0);
    expect(responseHeaderVersion(apiVersionsApi, 3)).toBe(0);
    expect(responseHeaderVersion(apiVersionsApi, 5)).toBe(0);
    expect(responseHeaderVersion(fetchApi, 11)).toBe(0);
    expect(responseHeaderVersion(fetchApi, 12)).toBe(1);
  });

  test("comes back", () => {
    for (const [api, version, hex] of [
      [fetchApi, 11, "00000007"],
      [fetchApi, 12, "0000000700"],
      [apiVersionsApi, 4, "00000007"],
    ] as const) {
      const writer = new Writer(8);
      encodeResponseHeader(writer, api, version, 7);
      expect(writer.toBytes().toHex()).toBe(hex);
      expect(decodeResponseHeader(new Reader(writer.toBytes()), api, version)).toEqual({
        correlationId: 7,
      });
    }
  });
});
