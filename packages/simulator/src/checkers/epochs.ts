import type { History } from "../history.ts";

/**
 * Every life of the broker leads with a higher epoch than all before: what a crash took cannot be
 * mistaken for what was written at the same offsets afterwards.
 */
export function checkEpochs(history: History): string[] {
  const faults: string[] = [];
  const last = new Map<string, { readonly life: number; readonly epoch: number }>();
  for (const { where, life, epoch } of history.epochs) {
    const before = last.get(where);
    if (before !== undefined && before.life < life && before.epoch >= epoch) {
      faults.push(
        `${history.say(where)}: life ${life} leads with epoch ${epoch}, ` +
          `life ${before.life} with ${before.epoch}`,
      );
    }
    last.set(where, { life, epoch });
  }
  return faults;
}
