/** Names longer than this are never guessed at. */
const LENGTH_MAX = 100;

/**
 * The known names that `name` may have been meant for, best first, at most `countMax`. A name
 * that begins like it counts as near.
 */
export function nearestNames(name: string, known: Iterable<string>, countMax = 3): string[] {
  if (name.length > LENGTH_MAX || name === "") return [];
  const lower = name.toLowerCase();
  const limit = Math.max(2, Math.floor(name.length / 3));
  const found: { readonly name: string; readonly distance: number }[] = [];
  for (const candidate of known) {
    const other = candidate.toLowerCase();
    const begins = name.length >= 3 && (other.startsWith(lower) || lower.startsWith(other));
    const distance = begins ? 1 : editDistance(lower, other);
    if (distance <= limit) found.push({ name: candidate, distance });
  }
  found.sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1));
  return found.slice(0, countMax).map((entry) => entry.name);
}

/** "did you mean a, b or c?", or null where nothing is near. */
export function didYouMean(name: string, known: Iterable<string>): string | null {
  const names = nearestNames(name, known);
  const last = names.pop();
  if (last === undefined) return null;
  return `did you mean ${names.length === 0 ? last : `${names.join(", ")} or ${last}`}?`;
}

/** Edits between two words; two neighbours that have changed places are one edit. */
export function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1];
      let best = Math.min(
        (row[j - 1] as number) + (same ? 0 : 1),
        (row[j] as number) + 1,
        (next[j - 1] as number) + 1,
      );
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) best = Math.min(best, (before[j - 2] as number) + 1);
      next.push(best);
    }
    before = row;
    row = next;
  }
  return row[b.length] as number;
}
