import type { History, Ownership } from "../history.ts";

/**
 * A committed offset is one that somebody committed, and never goes back: no answer is below what
 * was acknowledged before it was asked for, whatever crashed in between.
 */
export function checkCommittedOffsets(history: History): string[] {
  const faults: string[] = [];
  const inTransactions = new Set(history.transactions.map(({ group }) => group));
  for (const seen of history.committed) {
    const { group, where, offset, by, asked } = seen;
    if (inTransactions.has(group)) continue;
    const name = `${group} ${history.say(where)}`;
    let promised = -1;
    let isKnown = offset === -1;
    for (const commit of history.commits) {
      if (commit.group !== group || commit.where !== where) continue;
      if (commit.outcome === "acked" && commit.answered < asked) {
        promised = Math.max(promised, commit.offset);
      }
      if (commit.offset === offset && commit.outcome !== "refused") isKnown = true;
    }
    if (offset < promised) {
      faults.push(`${name}: ${by} was told ${offset}, and ${promised} was acknowledged before`);
    }
    if (!isKnown) faults.push(`${name}: ${by} was told ${offset}, which nobody has committed`);
  }
  return faults;
}

/** Once a member has its part of a newer generation, the older one is refused everything. */
export function checkGenerations(history: History): string[] {
  const faults: string[] = [];
  const owners = new Map<string, string>();
  for (const { group, generation, by, owned } of history.generations) {
    for (const where of owned) {
      const name = `${group} ${generation} ${where}`;
      const other = owners.get(name);
      if (other !== undefined && other !== by) {
        faults.push(
          `${group} generation ${generation}: ${history.say(where)} belongs to ${other} and ${by}`,
        );
      }
      owners.set(name, by);
    }
  }
  const newest = (group: string, asked: number): number => {
    let found = -1;
    for (const seen of history.generations) {
      if (seen.group === group && seen.answered < asked) found = Math.max(found, seen.generation);
    }
    return found;
  };
  const isClassic = new Set(history.generations.map(({ group }) => group));
  for (const { group, generation, by, asked, outcome } of history.commits) {
    if (outcome !== "acked" || generation < 0 || !isClassic.has(group)) continue;
    const now = newest(group, asked);
    if (generation < now) {
      faults.push(`${group}: ${by} committed in generation ${generation} during ${now}`);
    }
  }
  for (const { group, generation, by, asked } of history.heartbeats) {
    const now = newest(group, asked);
    if (generation < now) {
      faults.push(`${group}: ${by} beat in generation ${generation} during ${now}`);
    }
  }
  return faults;
}

/**
 * A partition has one owner at a time: who gets it, gets it after the one before has said that it
 * gave it up, or was silent for longer than its session.
 */
export function checkOwnership(history: History): string[] {
  const faults: string[] = [];
  const byPartition = new Map<string, Ownership[]>();
  for (const ownership of history.ownerships) {
    const name = `${ownership.group} ${ownership.where}`;
    const known = byPartition.get(name);
    if (known === undefined) byPartition.set(name, [ownership]);
    else known.push(ownership);
  }
  for (const all of byPartition.values()) {
    for (const [index, later] of all.entries()) {
      for (const earlier of all.slice(0, index)) {
        if (earlier.by === later.by || earlier.until < later.since) continue;
        if (earlier.leaseMs <= later.sinceMs) continue;
        faults.push(
          `${later.group} ${history.say(later.where)}: ${later.by} got it at ` +
            `${later.sinceMs.toFixed(0)} while ${earlier.by} had it (lease to ` +
            `${earlier.leaseMs.toFixed(0)})`,
        );
      }
    }
  }
  return faults;
}
