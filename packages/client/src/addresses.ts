import { ClientError } from "./errors.ts";

export interface Address {
  readonly host: string;
  readonly port: number;
}

const DEFAULT_PORT = 9092;

/** Reads "host:port" or "[ipv6]:port"; the port is 9092 where it is left out. */
export function parseAddress(text: string): Address {
  const match = /^(?:\[([^\]]+)\]|([^:\s]+))(?::(\d{1,5}))?$/.exec(text.trim());
  const host = match?.[1] ?? match?.[2];
  const port = match?.[3] === undefined ? DEFAULT_PORT : Number(match[3]);
  if (host === undefined || port < 1 || port > 65_535) {
    throw new ClientError("USAGE", `"${text}" is not a broker address: host:port is`);
  }
  return { host, port };
}

/** Reads a list of addresses, given as one string with commas or as several. */
export function parseAddresses(brokers: string | readonly string[]): Address[] {
  const texts = typeof brokers === "string" ? brokers.split(",") : brokers;
  const addresses = texts.filter((text) => text.trim() !== "").map(parseAddress);
  if (addresses.length === 0) throw new ClientError("USAGE", "no broker address was given");
  return addresses;
}
