import { type Result, err, ok } from "@mantou/base";
import { listItems } from "./definition.ts";

/** One address of `listeners` or `advertised.listeners`. */
export interface ListenerAddress {
  /** Upper case, as clients' tools show it. */
  readonly name: string;
  /** Empty: every interface. IPv6 addresses without brackets. */
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
}

const addressPattern = /^([A-Za-z0-9_]+):\/\/(\[[0-9A-Fa-f:.]*\]|[^:[\]/\s]*):(\d{1,5})$/;
const notServed: ReadonlySet<string> = new Set(["SSL", "SASL_PLAINTEXT", "SASL_SSL"]);

/** `NAME://host:port, …`; the error is the end of a sentence that begins with the value. */
export function parseListeners(value: string): Result<ListenerAddress[], string> {
  const addresses: ListenerAddress[] = [];
  const names = new Set<string>();
  const bound = new Set<string>();
  for (const item of listItems(value)) {
    const match = addressPattern.exec(item);
    if (match === null)
      return err(`is not of the form NAME://host:port at ${JSON.stringify(item)}`);
    const name = (match[1] as string).toUpperCase();
    const host = (match[2] as string).replace(/^\[|\]$/g, "");
    const port = Number(match[3]);
    if (port > 65_535) return err(`has a port above 65535: ${port}`);
    if (notServed.has(name)) return err(`asks for ${name}, which this version does not have`);
    if (names.has(name)) return err(`names the listener ${name} twice`);
    const address = `${host}:${port}`;
    if (port !== 0 && bound.has(address)) return err(`names the address ${address} twice`);
    names.add(name);
    bound.add(address);
    addresses.push({ name, host, port });
  }
  return addresses.length === 0 ? err("names no listener") : ok(addresses);
}

export function listenersFault(value: string): string | null {
  const parsed = parseListeners(value);
  return parsed.ok ? null : parsed.error;
}

/** As `listenersFault`, and each address must be one that a client can connect to. */
export function addressFault(value: string): string | null {
  const parsed = parseListeners(value);
  if (!parsed.ok) return parsed.error;
  for (const { name, host, port } of parsed.value) {
    if (host === "" || host === "0.0.0.0" || host === "::") {
      return `advertises no reachable host for ${name}: name one that clients can resolve`;
    }
    if (port === 0) return `advertises port 0 for ${name}`;
  }
  return null;
}

const hostAndPortPattern = /^(\[[0-9A-Fa-f:.]*\]|[^:[\]/\s]*):(\d{1,5})$/;

/** An address of the admin listener; null: there shall be none. The value has passed the check. */
export function parseAdminAddress(
  value: string,
): { readonly host: string; readonly port: number } | null {
  const match = hostAndPortPattern.exec(value);
  if (match === null) return null;
  return { host: (match[1] as string).replace(/^\[|\]$/g, ""), port: Number(match[2]) };
}

/** `HOST:PORT` or `none`; an empty host is every interface. */
export function adminAddress(value: string): string | null {
  if (value === "none") return null;
  const address = parseAdminAddress(value);
  if (address === null) return "is not of the form HOST:PORT, nor none";
  return address.port > 65_535 ? `has a port above 65535: ${address.port}` : null;
}

/** `NAME:PROTOCOL, …`, where PLAINTEXT is the only protocol. */
export function protocolMapFault(value: string): string | null {
  for (const item of listItems(value)) {
    const [name, protocol, ...rest] = item.split(":");
    if (name === undefined || protocol === undefined || name === "" || rest.length > 0) {
      return `is not of the form NAME:PROTOCOL at ${JSON.stringify(item)}`;
    }
    if (protocol.toUpperCase() !== "PLAINTEXT" && !notServed.has(name.toUpperCase())) {
      return `gives ${name} the protocol ${protocol}; this version has PLAINTEXT only`;
    }
  }
  return null;
}
