import type { Connection } from "./connection.ts";

/** One broker that leads something: a connection, and what is on its way there. */
export class ProducerLink {
  connection: Connection | null = null;
  isConnecting = false;
  /** Requests that are not answered. */
  requests = 0;
  failures = 0;
  /** No new connection is tried before this monotonic time, in milliseconds. */
  notBeforeMs = 0;
}
