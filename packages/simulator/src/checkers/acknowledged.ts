import type { History, Send, Where } from "../history.ts";

/**
 * What was acknowledged with acks=all is there, where the broker said, in the order of its
 * producer; what an idempotent producer sent is there once; what was refused is not there.
 */
export function checkAcknowledged(history: History): string[] {
  const faults: string[] = [];
  const places = valuePlaces(history);
  const lastPlace = new Map<string, { readonly order: number; readonly offset: number }>();
  for (const send of history.sends) {
    const topic = history.topicOf(send.where);
    const log = history.final.get(send.where);
    if (topic === undefined || topic.isPageCache || topic.isCompacted || log === undefined)
      continue;
    const found = places.get(send.value) ?? [];
    const say = (text: string): void => {
      faults.push(`${history.say(send.where)}: ${send.value} of ${send.by} ${text}`);
    };
    if (found.some(({ where }) => where !== send.where)) say("is in another partition");
    if (send.isExact && found.length > 1) {
      say(`is there ${found.length} times: ${found.map(({ offset }) => offset).join(", ")}`);
    }
    if (send.outcome === "refused" && found.length > 0) say("was refused, and is there");
    if (send.acks === -1 && send.outcome === "acked") checkPresence(history, send, found, say);
    const first = found[0];
    if (!send.isExact || first === undefined) continue;
    const lane = `${send.by} ${send.where}`;
    const last = lastPlace.get(lane);
    if (last !== undefined && last.order < send.order && last.offset >= first.offset) {
      say(`at ${first.offset} is before what was sent before it, at ${last.offset}`);
    }
    lastPlace.set(lane, { order: send.order, offset: first.offset });
  }
  return faults;
}

interface Place {
  readonly where: Where;
  readonly offset: number;
}

function checkPresence(
  history: History,
  send: Send,
  found: readonly Place[],
  say: (text: string) => void,
): void {
  if (send.offset === null) {
    if (found.length === 0 && !mayBeTrimmed(history, send)) say("was acknowledged, and is lost");
    return;
  }
  const { offset } = send;
  if (found.some((place) => place.offset === offset)) return;
  if (mayBeTrimmed(history, send)) return;
  if (found.length === 0) say(`was acknowledged at ${offset}, and is lost`);
  else say(`was acknowledged at ${offset}, and is at ${found[0]?.offset}`);
}

/** Whether somebody has asked to delete the records up to and with this one. */
function mayBeTrimmed(history: History, send: Send): boolean {
  const { trims, final } = history;
  const start = final.get(send.where)?.startOffset ?? 0;
  const asked = trims.some(({ where, offset }) => where === send.where && offset >= start);
  return start > 0 && asked && (send.offset === null || send.offset < start);
}

/** Where each value is at the end. */
function valuePlaces(history: History): Map<string, Place[]> {
  const places = new Map<string, Place[]>();
  for (const { where, batches } of history.final.values()) {
    for (const batch of batches) {
      for (const { value, offset } of batch.records) {
        if (value === null) continue;
        const known = places.get(value);
        if (known === undefined) places.set(value, [{ where, offset }]);
        else known.push({ where, offset });
      }
    }
  }
  return places;
}
