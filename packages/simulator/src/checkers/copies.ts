import type { History, Where } from "../history.ts";

const KEY = /^(.+)@(\d+)$/;

/**
 * What was copied in transactions is there once, in both senses: no record twice, none left out
 * before the last one, and nothing that readers of the source do not see.
 */
export function checkCopies(history: History): string[] {
  const faults: string[] = [];
  const copied = new Map<Where, Map<number, number>>();
  for (const { committed } of history.final.values()) {
    for (const { key } of committed) {
      const [, where, offset] = KEY.exec(key ?? "") ?? [];
      if (where === undefined) continue;
      const counts = copied.get(where) ?? new Map<number, number>();
      copied.set(where, counts);
      counts.set(Number(offset), (counts.get(Number(offset)) ?? 0) + 1);
    }
  }
  for (const [where, counts] of copied) {
    const name = history.say(where);
    const last = Math.max(...counts.keys());
    const source = history.final.get(where)?.committed ?? [];
    const visible = new Set(source.map(({ offset }) => offset));
    for (const offset of visible) {
      const count = counts.get(offset) ?? 0;
      if (offset <= last && count !== 1) {
        faults.push(`${name}: ${offset} was copied ${count} times, up to ${last}`);
      }
    }
    for (const offset of counts.keys()) {
      if (!visible.has(offset)) faults.push(`${name}: ${offset} was copied and is not to be seen`);
    }
  }
  return faults;
}
