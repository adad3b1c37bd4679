import { CompressionType } from "@mantou/protocol";
import { ClientError } from "./errors.ts";

export type Acks = 0 | 1 | "all";

export interface ProducerOptions {
  /** "all" when absent. */
  readonly acks?: Acks;
  /** Repetitions are recognised by the broker; needs acks "all". False when absent. */
  readonly idempotent?: boolean;
  /** "none" when absent. */
  readonly codec?: "none" | "gzip" | "snappy" | "lz4" | "zstd";
  /** How long a batch waits for more records, in milliseconds; 0 (this tick) when absent. */
  readonly lingerMs?: number;
  /** Uncompressed size at which a batch takes no more records, in bytes; 64 KiB when absent. */
  readonly batchBytes?: number;
  /** Size of a request beyond which no further batch joins it, in bytes; 1 MiB when absent. */
  readonly requestBytesMax?: number;
  /** Records that wait, in bytes; beyond it `send` waits for room. 32 MiB when absent. */
  readonly bufferBytesMax?: number;
  /** Calls of `send` that may wait for room or metadata; 100,000 when absent. */
  readonly waitingMax?: number;
  /** Batches of one partition that are under way; 5 when absent, 1 unless idempotent. */
  readonly inFlightMax?: number;
  /** When a record is given up, in milliseconds; 60,000 when absent. */
  readonly deliveryTimeoutMs?: number;
  /** How long a topic may stay unknown, in milliseconds; 10,000 when absent. */
  readonly metadataTimeoutMs?: number;
  /** How long one answer may take, in milliseconds; 30,000 when absent. */
  readonly requestTimeoutMs?: number;
  /** Repeat what failed for a passing reason; true when absent. */
  readonly retry?: boolean;
}

export type ProducerSettings = Required<Omit<ProducerOptions, "codec" | "acks">> & {
  readonly codec: CompressionType;
  /** As on the wire. */
  readonly acks: -1 | 0 | 1;
};

/** Options with their fallbacks. Throws ClientError USAGE where they contradict each other. */
export function producerSettings(options: ProducerOptions): ProducerSettings {
  const idempotent = options.idempotent ?? false;
  const acks = options.acks ?? "all";
  if (idempotent && acks !== "all") {
    throw new ClientError("USAGE", `an idempotent producer needs acks "all", not ${acks}`);
  }
  const codecName = options.codec ?? "none";
  const codec = CompressionType[codecName.toUpperCase() as keyof typeof CompressionType];
  if (codec === undefined) throw new ClientError("USAGE", `unknown codec "${codecName}"`);
  return {
    acks: acks === "all" ? -1 : acks,
    idempotent,
    codec,
    lingerMs: options.lingerMs ?? 0,
    batchBytes: options.batchBytes ?? 64 * 1024,
    requestBytesMax: options.requestBytesMax ?? 1024 * 1024,
    bufferBytesMax: options.bufferBytesMax ?? 32 * 1024 * 1024,
    waitingMax: options.waitingMax ?? 100_000,
    // Without sequence numbers a repetition could overtake a later batch.
    inFlightMax: idempotent ? Math.min(5, options.inFlightMax ?? 5) : 1,
    deliveryTimeoutMs: options.deliveryTimeoutMs ?? 60_000,
    metadataTimeoutMs: options.metadataTimeoutMs ?? 10_000,
    requestTimeoutMs: options.requestTimeoutMs ?? 30_000,
    retry: options.retry ?? true,
  };
}
