import { humaneCount } from "./humane.ts";

const WIDTH = 20;

/** A bar such as "[######              ] 30% 300 of 1,000"; only the count where there is no total. */
export function progressBar(done: number, total: number | null, words: string): string {
  if (total === null || total <= 0) return `${humaneCount(done)} ${words}`;
  const share = Math.min(1, done / total);
  const filled = Math.round(share * WIDTH);
  const bar = "#".repeat(filled).padEnd(WIDTH);
  return `[${bar}] ${Math.floor(share * 100)}% ${humaneCount(done)} of ${humaneCount(total)} ${words}`;
}
