import type { Offset } from "@mantou/base";
import { StoreCode } from "../layout.ts";
import { IoError, type LogSpec, type LogState } from "../ports.ts";
import { type LogWorker, type OpenLog, logName } from "./log-worker.ts";
import type { MemoryDirectory } from "./memory-disk.ts";
import { MemoryLog } from "./memory-log.ts";

/** Opens a log of a directory, or makes it; a log that has failed is opened again. */
export function openLog(worker: LogWorker, directory: MemoryDirectory, spec: LogSpec): LogState {
  const name = logName(spec.topic, spec.partition);
  let data = directory.logs.get(name);
  if (data !== undefined && data.topicId !== spec.topicId) {
    throw new IoError("FORMAT", `${name} belongs to topic id ${data.topicId}`);
  }
  data ??= new MemoryLog(spec.topic, spec.topicId, spec.partition);
  for (const [id, open] of worker.logs) {
    if (open.data !== data) continue;
    if (open.failure === StoreCode.OK) throw new IoError("INVALID", `${name} is open already`);
    worker.logs.delete(id);
  }
  directory.logs.set(name, data);
  // Everything below the end that is told here is durable.
  data.syncedOffset = data.endOffset;
  const log: OpenLog = {
    spec,
    data,
    failure: StoreCode.OK,
    assignedEnd: data.endOffset,
    queue: [],
    wantsWritten: false,
  };
  worker.logs.set(spec.logId, log);
  const state = stateOf(log);
  data.tornBytes = 0;
  return state;
}

export function stateOf({ spec, data }: OpenLog): LogState {
  return {
    logId: spec.logId,
    startOffset: data.startOffset as Offset,
    endOffset: data.endOffset as Offset,
    largestTimestamp: data.largestTimestamp,
    cutBytes: data.tornBytes,
    corruptFromOffset: data.corruptFromOffset as Offset | null,
  };
}
