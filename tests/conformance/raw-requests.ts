import { expect } from "bun:test";
import { Connection } from "@mantou/client";
import {
  type Api,
  BATCH_HEADER_BYTES,
  BatchField,
  Reader,
  type RecordInput,
  Writer,
  crc32c,
  decodeResponseHeader,
  encodeBatch,
  encodeRequestHeader,
} from "@mantou/protocol";

/** Requests made by hand, byte by byte, and answers read to their last byte. */

export const FRAME_PREFIX_BYTES = 4;

/** A connection on which nothing was said yet. */
export const openRaw = (port: number): Promise<Connection> =>
  Connection.open({ host: "127.0.0.1", port, negotiate: false, requestTimeoutMs: 10_000 });

export interface RequestOptions {
  readonly correlationId?: number;
  readonly clientId?: string | null;
}

/** A request's frame, without its length prefix. */
export function requestBytes<Req, Res, ReqIn, ResIn>(
  api: Api<Req, Res, ReqIn, ResIn>,
  version: number,
  request: NoInfer<ReqIn>,
  { correlationId = 7, clientId = "trap" }: RequestOptions = {},
): Uint8Array {
  const writer = new Writer(4096);
  encodeRequestHeader(writer, api, version, correlationId, clientId);
  api.request.encode(writer, request, version);
  return writer.toBytes();
}

/** Puts the length prefix before a frame. */
export function framed(bytes: Uint8Array): Uint8Array {
  const frame = new Uint8Array(FRAME_PREFIX_BYTES + bytes.length);
  new DataView(frame.buffer).setInt32(0, bytes.length);
  frame.set(bytes, FRAME_PREFIX_BYTES);
  return frame;
}

/** Reads an answer, which must belong to `correlationId` and have nothing behind it. */
export function readAnswer<Req, Res, ReqIn, ResIn>(
  api: Api<Req, Res, ReqIn, ResIn>,
  version: number,
  frame: Uint8Array,
  correlationId = 7,
): Res {
  const reader = new Reader(frame);
  expect(decodeResponseHeader(reader, api, version).correlationId).toBe(correlationId);
  const response = api.response.decode(reader, version);
  expect(reader.remaining, `bytes behind the ${api.name} answer`).toBe(0);
  return response;
}

/** Whether the broker closes a new connection on which these bytes are all that was sent. */
export async function closesOn(port: number, bytes: Uint8Array): Promise<boolean> {
  const connection = await openRaw(port);
  try {
    connection.sendBytes(bytes);
    const { promise: late, resolve } = Promise.withResolvers<false>();
    const timer = setTimeout(() => resolve(false), 5000);
    const closed = await Promise.race([connection.closed, late]);
    clearTimeout(timer);
    return closed !== false;
  } finally {
    connection.close();
  }
}

/** Replaces the one occurrence of a marker by an int64 that a JavaScript number cannot hold. */
export function patchInt64(bytes: Uint8Array, marker: number, value: bigint): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const found: number[] = [];
  for (let at = 0; at + 8 <= bytes.length; at += 1) {
    if (view.getBigInt64(at) === BigInt(marker)) found.push(at);
  }
  expect(found.length, "places of the marker").toBe(1);
  view.setBigInt64(found[0] as number, value);
  return bytes;
}

/** Makes the CRC of a batch fit again after its bytes were changed. */
export function withCrc(batch: Uint8Array): Uint8Array {
  const view = new DataView(batch.buffer, batch.byteOffset, batch.length);
  view.setUint32(BatchField.crc, crc32c(batch, BatchField.attributes, batch.length));
  return batch;
}

export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

export const recordOf = (value: string, timestamp = Date.now()): RecordInput => ({
  value: utf8(value),
  timestamp,
});

/** A batch whose payload is given as it stands, whatever its codec makes of it. */
export function batchWithPayload(
  codec: number,
  payload: Uint8Array,
  records: readonly RecordInput[],
): Uint8Array {
  const plain = encodeBatch(records);
  const batch = new Uint8Array(BATCH_HEADER_BYTES + payload.length);
  batch.set(plain.subarray(0, BATCH_HEADER_BYTES));
  batch.set(payload, BATCH_HEADER_BYTES);
  const view = new DataView(batch.buffer);
  view.setInt32(BatchField.batchLength, batch.length - 12);
  view.setInt16(BatchField.attributes, codec);
  return withCrc(batch);
}

/** The records of a batch as they would be compressed. */
export const plainPayload = (records: readonly RecordInput[]): Uint8Array =>
  encodeBatch(records).subarray(BATCH_HEADER_BYTES);
