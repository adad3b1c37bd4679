import { closeSync, openSync, readFileSync, readdirSync, writeSync } from "node:fs";
import { join } from "node:path";
import { BATCH_HEADER_BYTES, BatchView, MAGIC_V2 } from "@mantou/protocol";

export interface StoredBatch {
  /** Byte position in the file. */
  readonly position: number;
  readonly sizeBytes: number;
  readonly baseOffset: number;
  readonly lastOffset: number;
}

/** Paths of a partition's segment files, oldest first. */
export function segmentFiles(dataDirectory: string, topic: string, partition = 0): string[] {
  const folder = join(dataDirectory, `${topic}-${partition}`);
  const names = readdirSync(folder).filter((name) => name.endsWith(".log"));
  return names.sort().map((name) => join(folder, name));
}

/** The batches of a file up to the first bytes that are none: zeros written ahead, say. */
export function batchesIn(path: string): StoredBatch[] {
  const bytes = readFileSync(path);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const batch = new BatchView();
  const batches: StoredBatch[] = [];
  let position = 0;
  while (position + BATCH_HEADER_BYTES <= bytes.length) {
    batch.at(view, position);
    if (batch.magic !== MAGIC_V2 || batch.endOffset > bytes.length) break;
    const { sizeBytes, baseOffset, lastOffset } = batch;
    batches.push({ position, sizeBytes, baseOffset, lastOffset });
    position += sizeBytes;
  }
  return batches;
}

/** Where the next batch would be written. */
export function dataEnd(path: string): number {
  const last = batchesIn(path).at(-1);
  return last === undefined ? 0 : last.position + last.sizeBytes;
}

export function overwrite(path: string, position: number, bytes: Uint8Array): void {
  const file = openSync(path, "r+");
  try {
    writeSync(file, bytes, 0, bytes.length, position);
  } finally {
    closeSync(file);
  }
}

/** Turns the bits of one byte around, as a bad sector or a bad cable would. */
export function damageByte(path: string, position: number): void {
  const byte = readFileSync(path)[position] ?? 0;
  overwrite(path, position, Uint8Array.of(byte ^ 0xff));
}
