import { constants } from "node:os";

/** IPv4 addresses that arrived on an IPv6 socket are shown as IPv4. */
export const plainAddress = (address: string): string =>
  address.startsWith("::ffff:") ? address.slice("::ffff:".length) : address;

/** The POSIX name of what a socket call threw. */
export function errorCode(error: unknown): string {
  const code = (error as { code?: unknown }).code;
  return typeof code === "string" ? code : "EIO";
}

/** Its number. */
export function errorNumber(error: unknown): number {
  const { errno } = constants as { errno: Readonly<Record<string, number>> };
  return errno[errorCode(error)] ?? errno["EIO"] ?? 5;
}
