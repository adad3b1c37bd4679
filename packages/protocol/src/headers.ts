import type { AnyApi } from "./api.ts";
import type { Reader } from "./schema/reader.ts";
import type { Writer } from "./schema/writer.ts";

/** ApiVersions: the one API whose responses never have a flexible header. */
const API_VERSIONS_KEY = 18;

/** What a header needs to know about its API. */
type HeaderApi = Pick<AnyApi, "key" | "flexibleFrom">;

/** Bytes of api key, api version and correlation id, which every request starts with. */
export const REQUEST_PREFIX_BYTES = 8;

/** 1, or 2 (with tagged fields) for a flexible request. */
export const requestHeaderVersion = (api: HeaderApi, version: number): 1 | 2 =>
  version >= api.flexibleFrom ? 2 : 1;

/**
 * 0, or 1 (with tagged fields) for a flexible response. ApiVersions stays at 0: a client reads
 * that answer before it knows which versions the broker has (KIP-511).
 */
export const responseHeaderVersion = (api: HeaderApi, version: number): 0 | 1 =>
  version >= api.flexibleFrom && api.key !== API_VERSIONS_KEY ? 1 : 0;

/**
 * Reads what follows the first eight bytes of a request: the client id, whose length is an int16
 * even in flexible headers, then tagged fields if flexible. A null id reads as "".
 */
export function decodeRequestHeader(reader: Reader, flexible: boolean): { clientId: string } {
  const clientId = reader.nullableString() ?? "";
  if (flexible) reader.skipTags();
  return { clientId };
}

/** Writes a whole request header, from the api key to the tagged fields. */
export function encodeRequestHeader(
  writer: Writer,
  api: HeaderApi,
  version: number,
  correlationId: number,
  clientId: string | null,
): void {
  writer.int16(api.key);
  writer.int16(version);
  writer.int32(correlationId);
  writer.nullableString(clientId);
  if (requestHeaderVersion(api, version) === 2) writer.uvarint(0);
}

export function encodeResponseHeader(
  writer: Writer,
  api: HeaderApi,
  version: number,
  correlationId: number,
): void {
  writer.int32(correlationId);
  if (responseHeaderVersion(api, version) === 1) writer.uvarint(0);
}

/** Reads a response header. The body follows at the reader's position. */
export function decodeResponseHeader(
  reader: Reader,
  api: HeaderApi,
  version: number,
): { correlationId: number } {
  const correlationId = reader.int32();
  if (responseHeaderVersion(api, version) === 1) reader.skipTags();
  return { correlationId };
}
