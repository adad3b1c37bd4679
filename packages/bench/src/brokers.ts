import { createServer } from "node:net";
import type { Subprocess } from "bun";
import { type Pause, withoutCollections } from "./collector-pauses.ts";

export type System = "mantou" | "kafka";

/** A broker that runs, in a process of its own. */
export interface RunningBroker {
  readonly system: System;
  readonly pid: number;
  readonly port: number;
  readonly address: string;
  /** Where it tells metrics in the Prometheus format, if it does. */
  readonly metricsUrl?: string;
  /** The pauses of its garbage collector so far. */
  readonly pauses: () => Promise<readonly Pause[]>;
  /** When its process was started, on `performance`'s clock. */
  readonly spawnedAtMs: number;
  readonly hasExited: () => boolean;
  /** The end of what it has logged. */
  readonly log: () => Promise<string>;
  /** SIGTERM, or SIGKILL, and waits until it is gone. */
  readonly stop: (signal?: "SIGTERM" | "SIGKILL") => Promise<void>;
}

/** A kind of broker, ready to be started on a folder. */
export interface BrokerKind {
  readonly system: System;
  /** What it is, for the report: version and how it is run. */
  readonly description: string;
  /** Makes an empty folder one that it can be started on. */
  readonly prepare: (dataDirectory: string) => Promise<void>;
  /** Starts it; it may not listen yet. */
  readonly launch: (dataDirectory: string) => Promise<RunningBroker>;
}

export const HOST = "127.0.0.1";
/** The one setting that both are given: how soon the files of a deleted topic are removed. */
export const DELETE_DELAY_MS = 500;
const LOG_TAIL_BYTES = 4000;
const STOP_TIMEOUT_MS = 120_000;

/** What both kinds share once their process runs. */
export function runningBroker(
  system: System,
  port: number,
  child: Subprocess,
  logFiles: readonly string[],
  spawnedAtMs: number,
  pauses: RunningBroker["pauses"],
): RunningBroker {
  const hasExited = (): boolean => child.exitCode !== null || child.signalCode !== null;
  return {
    system,
    pid: child.pid,
    port,
    address: `${HOST}:${port}`,
    spawnedAtMs,
    hasExited,
    pauses,
    log: async () => {
      const texts = await Promise.all(logFiles.map((file) => Bun.file(file).text()));
      return withoutCollections(texts.join("")).slice(-LOG_TAIL_BYTES);
    },
    stop: async (signal = "SIGTERM") => {
      child.kill(signal);
      const impatient = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS);
      await child.exited;
      clearTimeout(impatient);
    },
  };
}

/** Ports that were free a moment ago. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const listen = (server: (typeof servers)[number]): Promise<number> =>
    new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen(0, HOST, () => resolve((server.address() as { port: number }).port));
    });
  const ports = await Promise.all(servers.map(listen));
  await Promise.all(
    servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))),
  );
  return ports;
}
