// What the Node drivers share: one JSON command a line on stdin, one JSON answer a line on stdout.
import { createInterface } from "node:readline";

export const decode = (value) => (value === null ? null : Buffer.from(value, "base64"));
export const encode = (bytes) =>
  bytes === null || bytes === undefined ? null : Buffer.from(bytes).toString("base64");

/** Serves until stdin ends. `nameOf` finds the protocol's own name for an error. */
export async function serve(operations, nameOf) {
  for await (const line of createInterface({ input: process.stdin })) {
    const command = JSON.parse(line);
    let answer;
    try {
      answer = { ok: true, ...(await operations[command.op](command)) };
    } catch (error) {
      answer = { ok: false, error: nameOf(error) ?? String(error?.stack ?? error) };
    }
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  }
  process.exit(0);
}

/** Clients that tell the first offset of a partition's batch only: the offsets of its records. */
export function offsetsOf(records, firstByPartition) {
  const next = new Map(firstByPartition);
  return records.map(({ partition }) => {
    const offset = next.get(partition);
    if (offset === undefined || offset < 0) return null;
    next.set(partition, offset + 1);
    return offset;
  });
}
