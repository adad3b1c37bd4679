import type { History, Read, SeenBatch, Where } from "../history.ts";

/**
 * Nobody has seen what a crash took back: every batch that was ever read is what it was, at the
 * end as well, and no high watermark was above the end. Stable offsets hold back what is open.
 */
export function checkWatermarks(history: History): string[] {
  const faults: string[] = [];
  const stood = new Map<string, SeenBatch>();
  for (const read of history.reads) {
    if (history.topicOf(read.where)?.isPageCache !== false) continue;
    const final = history.final.get(read.where);
    const where = history.say(read.where);
    if (final !== undefined && read.highWatermark > final.endOffset) {
      faults.push(
        `${where}: ${read.by} was told of the high watermark ${read.highWatermark}, ` +
          `and the log ends at ${final.endOffset}`,
      );
    }
    if (read.lastStableOffset > read.highWatermark) {
      faults.push(`${where}: stable to ${read.lastStableOffset}, above ${read.highWatermark}`);
    }
    checkLimits(read, where, faults);
    for (const batch of read.batches) {
      const name = `${read.where}@${batch.baseOffset}`;
      const known = stood.get(name);
      if (known === undefined) stood.set(name, batch);
      else if (known !== batch) {
        faults.push(`${where}: ${read.by} read another batch at ${batch.baseOffset} than before`);
      }
    }
  }
  checkStanding(history, stood, faults);
  return faults;
}

/** No record is given above what the answer itself calls committed, or stable. */
function checkLimits(read: Read, where: string, faults: string[]): void {
  const limit = read.isCommitted ? read.lastStableOffset : read.highWatermark;
  const last = read.batches.at(-1);
  if (last !== undefined && last.lastOffset >= limit) {
    faults.push(`${where}: ${read.by} read ${last.lastOffset}, and the limit was ${limit}`);
  }
}

/** What was read is at its place at the end, where it was not deleted. */
function checkStanding(
  history: History,
  stood: ReadonlyMap<string, SeenBatch>,
  faults: string[],
): void {
  const final = new Map<string, SeenBatch>();
  for (const { where, batches } of history.final.values()) {
    for (const batch of batches) final.set(`${where}@${batch.baseOffset}`, batch);
  }
  for (const [name, batch] of stood) {
    const where: Where = name.slice(0, name.lastIndexOf("@"));
    const log = history.final.get(where);
    if (log === undefined || history.topicOf(where)?.isCompacted === true) continue;
    if (batch.lastOffset < log.startOffset || final.get(name) === batch) continue;
    faults.push(`${history.say(where)}: the batch at ${batch.baseOffset} was read, and is gone`);
  }
}
