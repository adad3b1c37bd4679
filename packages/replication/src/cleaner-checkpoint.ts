import { type Result, err, ok } from "@mantou/base";

/** Kafka's name and format: up to where each log of a data directory is compacted. */
export const CLEANER_CHECKPOINT = "cleaner-offset-checkpoint";

export interface CleanEntry {
  readonly topic: string;
  readonly partition: number;
  /** Everything below is clean. */
  readonly offset: number;
}

const VERSION = "0";
const entryPattern = /^(\S{1,249}) (\d{1,10}) (\d{1,16})$/;

/** Version, count, then a line for each log: topic, partition, first offset that is not clean. */
export function encodeCleanerCheckpoint(entries: readonly CleanEntry[]): Uint8Array {
  const lines = entries.map(({ topic, partition, offset }) => `${topic} ${partition} ${offset}`);
  return new TextEncoder().encode([VERSION, lines.length, ...lines, ""].join("\n"));
}

/** The error says what is wrong with the file. Without it every log counts as never cleaned. */
export function decodeCleanerCheckpoint(bytes: Uint8Array): Result<CleanEntry[], string> {
  const [version, count, ...lines] = new TextDecoder().decode(bytes).trimEnd().split("\n");
  if (version !== VERSION) return err(`version ${JSON.stringify(version)} is not known`);
  if (count !== String(lines.length)) return err(`${lines.length} lines, announced ${count}`);
  const entries: CleanEntry[] = [];
  for (const line of lines) {
    const match = entryPattern.exec(line);
    const offset = Number(match?.[3]);
    if (match === null || !Number.isSafeInteger(offset)) {
      return err(`${JSON.stringify(line)} is no entry`);
    }
    entries.push({ topic: match[1] as string, partition: Number(match[2]), offset });
  }
  return ok(entries);
}
