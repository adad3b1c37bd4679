import { Exit, Failure } from "./failure.ts";
import type { ClientSettings } from "./settings.ts";

/** The shape of what `packages/client` throws; the class itself is not loaded for a simple error. */
interface ClientErrorLike extends Error {
  readonly code: string;
  readonly errorName?: string;
}

const isClientError = (error: unknown): error is ClientErrorLike =>
  error instanceof Error && (error.name === "ClientError" || error.name === "BrokerError");

/** What to do about errors that a broker answers with. */
const BROKER_HINTS: Readonly<Record<string, string>> = {
  UNKNOWN_TOPIC_OR_PARTITION: "see mantou topic list",
  TOPIC_ALREADY_EXISTS: "see mantou topic show NAME",
  TOPIC_AUTHORIZATION_FAILED: "this user may not touch the topic: ask for an ACL",
  CLUSTER_AUTHORIZATION_FAILED: "this user may not administer the cluster: ask for an ACL",
  INVALID_REPLICATION_FACTOR: "a topic has at most as many replicas as there are brokers (-r 1)",
  NOT_ENOUGH_REPLICAS: "fewer replicas are in sync than min.insync.replicas asks for",
  MESSAGE_TOO_LARGE: "raise max.message.bytes of the topic, or send smaller records",
  RECORD_LIST_TOO_LARGE: "raise segment.bytes of the topic, or send smaller batches",
  OFFSET_OUT_OF_RANGE: "that offset is not there any more, or not yet: see mantou topic show NAME",
  KAFKA_STORAGE_ERROR: "the broker could not write to its disk: see its log, and mantou doctor",
  LEADER_NOT_AVAILABLE: "the partition has no leader now: see mantou topic show NAME",
  UNSUPPORTED_COMPRESSION_TYPE: "choose another codec with -z",
};

/** Turns whatever was thrown into words for a person. Defects keep their stack. */
export function explain(error: unknown, settings: ClientSettings | null): Failure {
  if (error instanceof Failure) return error;
  if (isClientError(error)) return explainClientError(error, settings);
  const { code, path, message } = error as { code?: unknown; path?: unknown; message?: unknown };
  if (typeof code === "string" && typeof path === "string") return explainFileError(code, path);
  const text = typeof message === "string" ? message : String(error);
  const stack = error instanceof Error ? (error.stack ?? null) : null;
  return new Failure("DEFECT", `unexpected: ${text}`, { hint: stack });
}

function explainClientError(error: ClientErrorLike, settings: ClientSettings | null): Failure {
  const message = error.message;
  if (error.errorName !== undefined) {
    return new Failure(error.errorName, message, { hint: BROKER_HINTS[error.errorName] ?? null });
  }
  const exitCode = error.code === "USAGE" ? Exit.USAGE : Exit.FAILED;
  return new Failure(error.code, message, { hint: clientHint(error, settings), exitCode });
}

function clientHint(error: ClientErrorLike, settings: ClientSettings | null): string | null {
  const from = settings === null ? "" : ` (address from ${settings.bootstrapFrom})`;
  switch (error.code) {
    case "REFUSED":
      return `is the broker running there?${from} Start one with: mantou start`;
    case "UNREACHABLE":
      return `check the name, the network and firewalls${from}; look closer with: mantou doctor`;
    case "TIMED_OUT":
      return `the network drops packets, or the broker is busy${from}; --timeout waits longer`;
    case "NOT_KAFKA":
      return /HTTP|<!DO|<htm/i.test(error.message)
        ? `that port belongs to a web server; Kafka's is 9092 by habit${from}`
        : `that port speaks another protocol, or TLS${from}: -X security.protocol=SSL`;
    case "UNTRUSTED":
      return `name whom to trust with -X ssl.ca.location=FILE${from}`;
    case "CLOSED":
      return `is it a listener for clients?${from} One with TLS needs -X security.protocol=SSL`;
    case "UNSUPPORTED":
      return "the broker is too old or does not have this yet; see mantou cluster show -o wide";
    default:
      return null;
  }
}

function explainFileError(code: string, path: string): Failure {
  const words: Readonly<Record<string, string>> = {
    ENOENT: `${path}: there is no such file`,
    EACCES: `${path}: permission denied`,
    EPERM: `${path}: not permitted`,
    EISDIR: `${path} is a folder`,
    ENOSPC: `${path}: the disk is full`,
  };
  return new Failure(code, words[code] ?? `${path}: ${code}`);
}
