import { errorName } from "@mantou/protocol";

/** Fields that may differ: words, ids, times, addresses; and what Java's clients do not look at. */
const FREE = new Set([
  ...["throttleTimeMs", "errorMessage", "batchIndexErrorMessage", "documentation"],
  ...["clusterId", "topicId", "producerId", "host", "port", "rack", "nodeEndpoints"],
  ...["logAppendTimeMs", "timestamp", "lastTimestamp", "leaderEpoch", "currentLeader", "sessionId"],
  // Every broker makes its own.
  ...["memberId", "leader"],
  // Empty or null where there are none.
  "abortedTransactions",
]);

/** Names for error codes, lengths for records, lists of named things in one order. */
export function comparable(value: unknown, field = ""): unknown {
  if (field === "errorCode") return errorName(value as number);
  if (field === "records" && value !== null) return (value as { length: number }).length;
  if (Array.isArray(value)) {
    const list = value.map((one) => comparable(one));
    return list.sort((a, b) => (orderOf(a) < orderOf(b) ? -1 : 1));
  }
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).filter(([name]) => !FREE.has(name));
  return Object.fromEntries(entries.map(([name, inner]) => [name, comparable(inner, name)]));
}

function orderOf(value: unknown): string {
  const one = (value ?? {}) as Record<string, unknown>;
  const { name, topic, resourceName, groupId, key, partitionIndex, index, errorCode } = one;
  const place = name ?? topic ?? resourceName ?? groupId ?? key ?? partitionIndex ?? index;
  return JSON.stringify([place, errorCode]);
}

/** Every leaf at which two answers differ. */
export function* differences(
  apache: unknown,
  ours: unknown,
  path = "",
): Generator<readonly [path: string, apache: unknown, ours: unknown]> {
  if (Bun.deepEquals(apache, ours)) return;
  if (typeof apache !== "object" || typeof ours !== "object" || !apache || !ours) {
    yield [path, apache, ours];
    return;
  }
  for (const name of new Set([...Object.keys(apache), ...Object.keys(ours)])) {
    const [a, b] = [apache, ours].map((side) => (side as Record<string, unknown>)[name]);
    yield* differences(a, b, `${path}.${name}`);
  }
}
