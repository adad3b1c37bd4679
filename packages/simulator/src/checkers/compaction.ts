import type { History, Send } from "../history.ts";

/**
 * A compacted partition keeps the last value of every key, each record at the offset at which it
 * was written, and nothing twice.
 */
export function checkCompaction(history: History): string[] {
  const faults: string[] = [];
  for (const log of history.final.values()) {
    if (history.topicOf(log.where)?.isCompacted !== true) continue;
    const where = history.say(log.where);
    const sends = history.sends.filter((send) => send.where === log.where);
    const byValue = new Map(sends.map((send) => [send.value, send]));
    const last = new Map<string, number>();
    const seen = new Set<string>();
    for (const batch of log.batches) {
      for (const { key, value, offset } of batch.records) {
        if (key === null || value === null) continue;
        if (seen.has(value)) faults.push(`${where}: ${value} is there twice`);
        seen.add(value);
        last.set(key, offset);
        const sent = byValue.get(value);
        if (sent === undefined || sent.key !== key) {
          faults.push(`${where}: ${value} of ${key} at ${offset} was never sent`);
        } else if (sent.offset !== null && sent.offset !== offset) {
          faults.push(`${where}: ${value} was written at ${sent.offset}, and is at ${offset}`);
        }
      }
    }
    for (const [key, send] of newestOf(sends)) {
      const found = last.get(key) ?? -1;
      if (found >= (send.offset ?? -1)) continue;
      faults.push(
        `${where}: the last value of ${key} was ${send.value} at ${send.offset}, ` +
          `and the last one there is at ${found}`,
      );
    }
  }
  return faults;
}

/** Of each key the acknowledged record with the highest offset. */
function newestOf(sends: readonly Send[]): Map<string, Send> {
  const newest = new Map<string, Send>();
  for (const send of sends) {
    if (send.key === null || send.offset === null || send.outcome !== "acked") continue;
    const known = newest.get(send.key);
    if (known === undefined || (known.offset ?? -1) < send.offset) newest.set(send.key, send);
  }
  return newest;
}
