import type { FinalLog, History } from "../history.ts";

/** Offsets are dense and rise, leader epochs do not fall, and a start is what was asked for. */
export function checkOffsets(history: History): string[] {
  const faults: string[] = [];
  for (const log of history.final.values()) {
    const where = history.say(log.where);
    checkDensity(log, where, history.topicOf(log.where)?.isCompacted === true, faults);
    const trims = history.trims.filter((trim) => trim.where === log.where);
    const asked = Math.max(0, ...trims.map(({ offset }) => offset));
    const promised = Math.max(0, ...trims.map((trim) => (trim.isAcked ? trim.offset : 0)));
    if (log.startOffset > asked) {
      faults.push(`${where}: begins at ${log.startOffset}; nobody deleted beyond ${asked}`);
    }
    if (log.startOffset < promised) {
      faults.push(`${where}: begins at ${log.startOffset}, and ${promised} was acknowledged`);
    }
  }
  for (const read of history.reads) {
    const first = read.batches[0];
    if (first !== undefined && first.lastOffset < read.from) {
      faults.push(`${history.say(read.where)}: asked for ${read.from}, got ${first.baseOffset}`);
    }
    if (history.topicOf(read.where)?.isCompacted === true) continue;
    if (first !== undefined && first.baseOffset > read.from) {
      faults.push(`${history.say(read.where)}: asked for ${read.from}, got ${first.baseOffset}`);
    }
    for (let index = 1; index < read.batches.length; index += 1) {
      const before = read.batches[index - 1];
      const batch = read.batches[index];
      if (before === undefined || batch === undefined) continue;
      if (batch.baseOffset !== before.lastOffset + 1) {
        faults.push(
          `${history.say(read.where)}: ${read.by} got ${batch.baseOffset} ` +
            `after ${before.lastOffset}`,
        );
      }
    }
  }
  return faults;
}

function checkDensity(log: FinalLog, where: string, hasGaps: boolean, faults: string[]): void {
  let next = log.batches[0]?.baseOffset ?? log.endOffset;
  if (log.batches.length > 0 && !hasGaps && next > log.startOffset) {
    faults.push(`${where}: begins at ${log.startOffset}, its first batch at ${next}`);
  }
  let epoch = -1;
  for (const batch of log.batches) {
    const isNext = hasGaps ? batch.baseOffset >= next : batch.baseOffset === next;
    if (!isNext) faults.push(`${where}: ${batch.baseOffset} follows ${next - 1}`);
    if (batch.leaderEpoch < epoch) {
      faults.push(`${where}: epoch ${batch.leaderEpoch} at ${batch.baseOffset} after ${epoch}`);
    }
    epoch = batch.leaderEpoch;
    next = batch.lastOffset + 1;
  }
  if (!hasGaps && next !== log.endOffset) {
    faults.push(`${where}: ends at ${log.endOffset}, its last batch at ${next}`);
  }
}
