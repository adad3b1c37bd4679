import type { History, Identified, Transaction } from "../history.ts";

/** Whoever is fenced writes nothing and commits nothing any more. */
export function checkZombies(history: History): string[] {
  const faults: string[] = [];
  const byId = new Map<string, Identified[]>();
  for (const one of history.identified) {
    const known = byId.get(one.transactionalId);
    if (known === undefined) byId.set(one.transactionalId, [one]);
    else known.push(one);
  }
  for (const transaction of history.transactions) {
    const { by, outcome, endAsked, sends } = transaction;
    const fenced = fencedAt(byId.get(transaction.transactionalId) ?? [], transaction);
    if (outcome === "committed" && endAsked > fenced) {
      faults.push(`${by} was fenced, and has committed ${sends.map(({ value }) => value).join()}`);
    }
    for (const send of sends) {
      if (send.outcome === "acked" && send.asked > fenced) {
        faults.push(`${by} was fenced, and has written ${send.value}`);
      }
    }
  }
  return faults;
}

/**
 * The moment since which somebody else is known to have the transactional id. Who was fenced and has
 * identified itself again is no zombie, so what counts is the identity the transaction began under.
 */
function fencedAt(identified: readonly Identified[], { by, began }: Transaction): number {
  const own = identified.findLast((one) => one.by === by && one.answered < began);
  const since = own?.answered ?? Infinity;
  const next = identified.find((one) => one.by !== by && one.answered > since);
  return next?.answered ?? Infinity;
}

/**
 * Offsets that were committed in transactions are those of the last transaction that has committed,
 * or of one whose end nobody knows.
 */
export function checkTransactionOffsets(history: History): string[] {
  const faults: string[] = [];
  const groups = new Set(history.transactions.map(({ group }) => group));
  for (const { group, where, offset, by, asked } of history.committed) {
    if (!groups.has(group)) continue;
    const name = `${group} ${history.say(where)}`;
    let promised = -1;
    let isKnown = offset === -1;
    for (const transaction of history.transactions) {
      const own = transaction.offsets.get(where);
      if (transaction.group !== group || own === undefined) continue;
      if (transaction.outcome === "committed" && transaction.endAnswered < asked) {
        promised = Math.max(promised, own);
      }
      const mayBe = transaction.outcome === "committed" || transaction.asked === "commit";
      if (own === offset && mayBe && transaction.outcome !== "aborted") isKnown = true;
    }
    if (offset < promised) {
      faults.push(`${name}: ${by} was told ${offset}, and ${promised} was committed before`);
    }
    if (!isKnown) faults.push(`${name}: ${by} was told ${offset}, which no transaction committed`);
  }
  return faults;
}
