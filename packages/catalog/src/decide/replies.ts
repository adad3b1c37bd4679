import { ErrorCode } from "@mantou/protocol";
import type { ItemReply } from "../commands.ts";

export const accepted: ItemReply = { errorCode: ErrorCode.NONE, errorMessage: null };

export const refused = (errorCode: ErrorCode, errorMessage: string): ItemReply => ({
  errorCode,
  errorMessage,
});

/** Items that a request names more than once. */
export function repeated<T>(items: Iterable<T>): Set<T> {
  const seen = new Set<T>();
  const twice = new Set<T>();
  for (const item of items) {
    if (seen.has(item)) twice.add(item);
    seen.add(item);
  }
  return twice;
}
