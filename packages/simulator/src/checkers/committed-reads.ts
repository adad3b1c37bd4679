import type { FinalLog, History, SeenBatch, SeenRecord, Where } from "../history.ts";

/** A transaction's part of one partition, as the log itself tells it. */
interface LoggedTransaction {
  readonly producerId: number;
  readonly firstOffset: number;
  readonly batches: SeenBatch[];
  /** Offset of its marker; Infinity: it hangs. */
  end: number;
  fate: "open" | "commit" | "abort";
}

/** Every transaction of a log, in the order of their beginnings. */
export function transactionsOf(log: FinalLog): LoggedTransaction[] {
  const all: LoggedTransaction[] = [];
  const open = new Map<number, LoggedTransaction>();
  for (const batch of log.batches) {
    if (batch.isControl) {
      const ended = open.get(batch.producerId);
      if (ended === undefined || batch.marker === null) continue;
      ended.end = batch.baseOffset;
      ended.fate = batch.marker;
      open.delete(batch.producerId);
      continue;
    }
    if (!batch.isTransactional) continue;
    let current = open.get(batch.producerId);
    if (current === undefined) {
      current = {
        producerId: batch.producerId,
        firstOffset: batch.baseOffset,
        batches: [],
        end: Infinity,
        fate: "open",
      };
      open.set(batch.producerId, current);
      all.push(current);
    }
    current.batches.push(batch);
  }
  return all;
}

/** What read_committed must show of a log: the model. */
function visibleOf(log: FinalLog, transactions: readonly LoggedTransaction[]): SeenRecord[] {
  const hidden = new Set<SeenBatch>();
  for (const { fate, batches } of transactions) {
    if (fate !== "commit") for (const batch of batches) hidden.add(batch);
  }
  const visible: SeenRecord[] = [];
  for (const batch of log.batches) {
    if (batch.isControl || hidden.has(batch)) continue;
    visible.push(...batch.records);
  }
  return visible;
}

/**
 * What readers at read_committed got is what the log's own markers say, exactly: nothing that was
 * aborted, nothing of a transaction before its end, everything that was committed. No transaction
 * hangs at the end. What is stable had ended by then.
 */
export function checkCommittedReads(history: History): string[] {
  const faults: string[] = [];
  const models = new Map<Where, { visible: SeenRecord[]; transactions: LoggedTransaction[] }>();
  for (const log of history.final.values()) {
    const topic = history.topicOf(log.where);
    if (topic === undefined || topic.isPageCache) continue;
    const where = history.say(log.where);
    const transactions = transactionsOf(log);
    for (const { fate, producerId, firstOffset } of transactions) {
      if (fate === "open") {
        faults.push(`${where}: the transaction of ${producerId} at ${firstOffset} hangs`);
      }
    }
    if (log.lastStableOffset !== log.endOffset) {
      faults.push(`${where}: stable to ${log.lastStableOffset} of ${log.endOffset} at the end`);
    }
    const visible = visibleOf(log, transactions);
    if (!topic.isCompacted) models.set(log.where, { visible, transactions });
    const delivered = log.committed;
    compare(`${where}: the auditor`, visible, delivered, log.startOffset, log.endOffset, faults);
  }
  for (const read of history.reads) {
    const model = models.get(read.where);
    if (model === undefined) continue;
    const where = `${history.say(read.where)}: ${read.by}`;
    const start = history.final.get(read.where)?.startOffset ?? 0;
    if (read.isCommitted) {
      compare(where, model.visible, read.delivered, Math.max(read.from, start), read.next, faults);
    }
    for (const { firstOffset, end, producerId } of model.transactions) {
      if (firstOffset >= read.lastStableOffset || firstOffset < start) continue;
      if (end < read.highWatermark) continue;
      faults.push(
        `${where} was told that ${read.lastStableOffset} is stable, and the transaction of ` +
          `${producerId} from ${firstOffset} was open`,
      );
    }
  }
  return faults;
}

function compare(
  who: string,
  visible: readonly SeenRecord[],
  delivered: readonly SeenRecord[],
  from: number,
  next: number,
  faults: string[],
): void {
  const expected = visible.slice(firstAt(visible, from), firstAt(visible, next));
  const got = delivered.filter(({ offset }) => offset >= from);
  const count = Math.max(expected.length, got.length);
  for (let index = 0; index < count; index += 1) {
    const wanted = expected[index];
    const found = got[index];
    if (wanted !== undefined && wanted.offset === found?.offset) continue;
    faults.push(
      `${who} read ${found?.offset ?? "nothing"} (${found?.value ?? ""}) at read_committed ` +
        `where ${wanted?.offset ?? "nothing"} (${wanted?.value ?? ""}) was due, from ${from}`,
    );
    return;
  }
}

/** Index of the first record at or above an offset. */
function firstAt(records: readonly SeenRecord[], offset: number): number {
  let low = 0;
  let high = records.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((records[middle] as SeenRecord).offset < offset) low = middle + 1;
    else high = middle;
  }
  return low;
}
