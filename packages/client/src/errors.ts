import { ErrorCode, errorName } from "@mantou/protocol";

/**
 * What went wrong, for programs. BROKER: the broker answered with an error (see
 * {@link BrokerError}); the others are found on our side.
 */
export type ClientErrorCode =
  /** Nobody listens there. */
  | "REFUSED"
  /** The address cannot be resolved or reached. */
  | "UNREACHABLE"
  | "TIMED_OUT"
  /** The connection ended while something waited for it. */
  | "CLOSED"
  /** What answers does not speak the Kafka protocol, or not in the clear. */
  | "NOT_KAFKA"
  /** Its certificate is not one that we trust, or another host's. */
  | "UNTRUSTED"
  /** An answer that does not parse, or belongs to no request. */
  | "MALFORMED"
  /** Broker and client have no version of an API in common. */
  | "UNSUPPORTED"
  /** A bound of this client is reached: too much is on its way. */
  | "OVERLOADED"
  /** Called in a way that cannot work. */
  | "USAGE"
  | "BROKER";

const retriableCodes: ReadonlySet<ClientErrorCode> = new Set<ClientErrorCode>([
  "REFUSED",
  "UNREACHABLE",
  "TIMED_OUT",
  "CLOSED",
  "OVERLOADED",
]);

export class ClientError extends Error {
  override readonly name: string = "ClientError";

  constructor(
    readonly code: ClientErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }

  /** Whether the same call may work later, or on another connection. */
  get retriable(): boolean {
    return retriableCodes.has(this.code);
  }
}

/** Errors that pass by themselves, or after asking for metadata again. */
const retriableErrors: ReadonlySet<number> = new Set<number>([
  ErrorCode.CORRUPT_MESSAGE,
  ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  ErrorCode.LEADER_NOT_AVAILABLE,
  ErrorCode.NOT_LEADER_OR_FOLLOWER,
  ErrorCode.REQUEST_TIMED_OUT,
  ErrorCode.REPLICA_NOT_AVAILABLE,
  ErrorCode.NETWORK_EXCEPTION,
  ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
  ErrorCode.COORDINATOR_NOT_AVAILABLE,
  ErrorCode.NOT_COORDINATOR,
  ErrorCode.NOT_ENOUGH_REPLICAS,
  ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
  ErrorCode.NOT_CONTROLLER,
  ErrorCode.CONCURRENT_TRANSACTIONS,
  ErrorCode.KAFKA_STORAGE_ERROR,
  ErrorCode.FETCH_SESSION_ID_NOT_FOUND,
  ErrorCode.INVALID_FETCH_SESSION_EPOCH,
  ErrorCode.LISTENER_NOT_FOUND,
  ErrorCode.FENCED_LEADER_EPOCH,
  ErrorCode.UNKNOWN_LEADER_EPOCH,
  ErrorCode.OFFSET_NOT_AVAILABLE,
  ErrorCode.THROTTLING_QUOTA_EXCEEDED,
  ErrorCode.UNKNOWN_TOPIC_ID,
  ErrorCode.INCONSISTENT_TOPIC_ID,
]);

/** An error that a broker answered with. */
export class BrokerError extends ClientError {
  override readonly name = "BrokerError";
  /** Kafka's name, such as `UNKNOWN_TOPIC_OR_PARTITION`. */
  readonly errorName: string;

  /**
   * @param errorCode Kafka's number, not 0.
   * @param what the call or thing that failed.
   * @param detail the broker's own words, if it sent any.
   */
  constructor(
    readonly errorCode: number,
    what: string,
    detail: string | null = null,
  ) {
    const name = errorName(errorCode);
    super("BROKER", `${what}: ${name} (${errorCode})${detail === null ? "" : `: ${detail}`}`);
    this.errorName = name;
  }

  override get retriable(): boolean {
    return retriableErrors.has(this.errorCode);
  }
}

/** The error of an answered code, or null for NONE. */
export function brokerError(
  errorCode: number,
  what: string,
  detail: string | null = null,
): BrokerError | null {
  return errorCode === ErrorCode.NONE ? null : new BrokerError(errorCode, what, detail);
}

/** Throws where the answered code is not NONE. */
export function throwIfError(errorCode: number, what: string, detail: string | null = null): void {
  const error = brokerError(errorCode, what, detail);
  if (error !== null) throw error;
}

/** Whether trying again may help. Anything that is not ours is a defect: no. */
export const isRetriable = (error: unknown): boolean =>
  error instanceof ClientError && error.retriable;
