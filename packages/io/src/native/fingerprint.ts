import * as layout from "../layout.ts";

/**
 * One number for all rows, fields and codes of layout.ts. The addon was built with one; where the
 * two differ it is an old build, which must not be given rows of a new one.
 */
export function layoutFingerprint(): number {
  const text = Object.entries(layout)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
    .join("\n");
  // FNV-1a, 32 bits.
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193) >>> 0;
  }
  return hash;
}
