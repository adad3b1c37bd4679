/** Reasons for refusing names that Kafka knows, so that nobody searches for a typo. */
const absent: readonly (readonly [pattern: RegExp, reason: string])[] = [
  [/^log\.cleaner\./, "compaction has one thread and sizes its buffers itself"],
  [/^compression\.(gzip|lz4|zstd)\.level$/, "batches are kept as their producer compressed them"],
  [/^(remote\.|local\.retention\.)/, "tiered storage is not available"],
  [/^(leader|follower)\.replication\.throttled/, "replication throttles are not available yet"],
  [/^(group\.)?(share|streams)\./, "share and streams groups are not available"],
  [
    /^(group\.coordinator|offsets\.(load|commit)|transaction\.state\.log\.load)\./,
    "coordinators read and write at the pace of the disk, on the broker's own thread",
  ],
  [/^offsets\.topic\.compression/, "the records of coordinators are not compressed"],
  [/^transaction\.two\.phase\.commit/, "two-phase commit is not available"],
  [
    /^(ssl\.|sasl\.|security\.|super\.users|authorizer\.|delegation\.|allow\.everyone)/,
    "security settings are not available yet",
  ],
  [
    /^(zookeeper\.|control\.plane\.|inter\.broker\.protocol\.version)/,
    "there is no ZooKeeper here",
  ],
  [
    /^([a-z]+\.roles|controller\.|metadata\.|broker\.session|broker\.heartbeat|initial\.broker)/,
    "the controller is part of every broker and needs no setting",
  ],
  [/^num\.(network|io|replica|recovery)/, "threads are not configured"],
  [
    /^(replica\.|num\.replica|auto\.leader|leader\.imbalance)/,
    "replication between brokers is not available yet",
  ],
  [/^(quota\.|client\.quota)/, "quotas are not available yet"],
  [/^message\.(downconversion\.enable|format\.version)$/, "Kafka 4 has removed it too"],
];

const renamed: Readonly<Record<string, string>> = {
  "broker.id": "node.id",
  "log.dir": "log.dirs",
  port: "listeners",
  "host.name": "listeners",
  "queued.max.request.bytes": "mantou.arena.bytes",
};

/** The sentence that refuses a name nobody has defined. */
export function unknownName(name: string, known: Iterable<string>): string {
  const instead = renamed[name];
  if (instead !== undefined) return `${name} is not a setting here: use ${instead}`;
  for (const [pattern, reason] of absent) {
    if (pattern.test(name)) return `${name} has no effect here and is refused: ${reason}`;
  }
  const nearest = nearestName(name, known);
  const hint = nearest === null ? "" : `, did you mean ${nearest}?`;
  return `${JSON.stringify(name.slice(0, 100))} is not a known setting${hint}`;
}

/** The known name with the fewest edits, if they are few enough to be a typo. */
function nearestName(name: string, known: Iterable<string>): string | null {
  if (name.length > 100) return null;
  let best: string | null = null;
  let bestDistance = Math.max(2, Math.floor(name.length / 4)) + 1;
  for (const candidate of known) {
    const distance = editDistance(name, candidate);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Levenshtein's distance, one row at a time. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replace = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replace, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}
