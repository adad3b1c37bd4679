/** What the broker counts about itself, as plain numbers. */
export class BrokerCounters {
  requests = 0;
  /** Frames whose body did not parse: connection closed. */
  malformed = 0;
  /** Unknown api keys and versions: connection closed. */
  unsupported = 0;
  /** Handlers that threw: answered with UNKNOWN_SERVER_ERROR. */
  handlerFailures = 0;
  /** Compacted logs that cannot be read, and so are not compacted, now. */
  uncleanableLogs = 0;
}
