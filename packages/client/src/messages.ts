import type { RecordHeader, RecordInput } from "@mantou/protocol";

/** A record to be sent. Text is sent as UTF-8. */
export interface Message {
  readonly topic: string;
  /** Chosen by the key's hash, or freely where there is no key, when absent. */
  readonly partition?: number;
  readonly key?: Uint8Array | string | null;
  readonly value?: Uint8Array | string | null;
  readonly headers?: readonly {
    readonly key: string;
    readonly value: Uint8Array | string | null;
  }[];
  /** Milliseconds since the epoch; now when absent. */
  readonly timestamp?: number;
}

/** Where a record went. */
export interface Delivery {
  readonly topic: string;
  readonly partition: number;
  /** -1 where the broker does not tell: acks=0, or a duplicate that it has forgotten. */
  readonly offset: number;
  /** The record's time, or the broker's where the topic has LogAppendTime. */
  readonly timestamp: number;
}

const utf8 = new TextEncoder();
const bytesOf = (part: Uint8Array | string | null | undefined): Uint8Array | null =>
  typeof part === "string" ? utf8.encode(part) : (part ?? null);

/** The record of a message, with bytes for text and a time. */
export function recordOf(message: Message): RecordInput & { readonly timestamp: number } {
  const headers: RecordHeader[] = [];
  for (const { key, value } of message.headers ?? []) headers.push({ key, value: bytesOf(value) });
  return {
    key: bytesOf(message.key),
    value: bytesOf(message.value),
    headers,
    timestamp: message.timestamp ?? Date.now(),
  };
}

const RECORD_OVERHEAD_BYTES = 40;

/** About what a record takes, uncompressed. */
export function recordBytes(record: RecordInput): number {
  let size = RECORD_OVERHEAD_BYTES + (record.key?.length ?? 0) + (record.value?.length ?? 0);
  for (const header of record.headers ?? []) {
    size += RECORD_OVERHEAD_BYTES + header.key.length * 3 + (header.value?.length ?? 0);
  }
  return size;
}
