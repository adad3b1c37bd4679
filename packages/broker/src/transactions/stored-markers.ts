import type { LogId } from "@mantou/base";
import { offset } from "@mantou/base";
import type { LogStore } from "@mantou/io";
import { BATCH_HEADER_DOUBLES, BatchHeader } from "@mantou/io";
import { BatchAttribute, ControlType, controlType, decodeBatches } from "@mantou/protocol";
import type { Marker } from "@mantou/replication";

/** Control batches that are read at a time. */
const READS_AT_A_TIME = 64;
const MARKER_BITS = BatchAttribute.TRANSACTIONAL | BatchAttribute.CONTROL;
const COORDINATOR_EPOCH_AT = 2;
const VALUE_BYTES = 6;

/** What the transaction markers among the batches of these headers say, by base offset. */
export async function readMarkers(
  logs: LogStore,
  logId: LogId,
  headers: Float64Array,
): Promise<Map<number, Marker>> {
  const offsets: number[] = [];
  for (let at = 0; at < headers.length; at += BATCH_HEADER_DOUBLES) {
    const attributes = headers[at + BatchHeader.attributes] as number;
    if ((attributes & MARKER_BITS) === MARKER_BITS) {
      offsets.push(headers[at + BatchHeader.baseOffset] as number);
    }
  }
  const markers = new Map<number, Marker>();
  for (let from = 0; from < offsets.length; from += READS_AT_A_TIME) {
    const some = offsets.slice(from, from + READS_AT_A_TIME);
    const found = await Promise.all(some.map((at) => readMarker(logs, logId, at)));
    for (const [index, marker] of found.entries()) {
      if (marker !== null) markers.set(some[index] as number, marker);
    }
  }
  return markers;
}

async function readMarker(logs: LogStore, logId: LogId, at: number): Promise<Marker | null> {
  const [batch] = decodeBatches(await logs.read(logId, offset(at), 1));
  const record = batch?.records[0];
  // A cleaner may have emptied the batch; it then ends nothing any more.
  if (batch === undefined || record === undefined || batch.baseOffset !== at) return null;
  const type = controlType(record.key);
  if (type !== ControlType.COMMIT && type !== ControlType.ABORT) return null;
  const { producerEpoch, producerId } = batch;
  const value = record.value ?? new Uint8Array(0);
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  const coordinatorEpoch = value.length < VALUE_BYTES ? 0 : view.getInt32(COORDINATOR_EPOCH_AT);
  return { producerId, producerEpoch, coordinatorEpoch, isCommit: type === ControlType.COMMIT };
}
