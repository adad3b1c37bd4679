import type { Millis } from "@mantou/base";
import { parseBrokerConfig } from "@mantou/catalog";
import { Connection } from "@mantou/client";
import type { Io, PortableIo } from "@mantou/io";
import { openPortableIo } from "@mantou/io";
import type { Ambient } from "../src/ambient.ts";
import { Broker } from "../src/broker.ts";

/** A broker in this process on the portable engine, with real sockets and memory for a disk. */
export interface InProcessBroker {
  readonly broker: Broker;
  readonly io: PortableIo;
  readonly port: number;
  /** Lines that were logged, newest last. */
  readonly log: string[];
  connect(): Promise<Connection>;
  [Symbol.asyncDispose](): Promise<void>;
}

export function testAmbient(log: string[]): Ambient {
  const line =
    (level: string) =>
    (event: string, fields: Readonly<Record<string, unknown>> = {}): void => {
      log.push(`${level} ${event} ${JSON.stringify(fields)}`);
    };
  return {
    clock: {
      wallMs: () => Date.now() as Millis,
      monotonicMs: () => performance.now(),
    },
    timers: {
      after(delayMs, call) {
        const timer = setTimeout(call, delayMs);
        return () => clearTimeout(timer);
      },
    },
    logger: { info: line("info"), warn: line("warn"), error: line("error") },
    hostName: "localhost",
    randomBytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
    fatal(reason, error) {
      log.push(`fatal ${reason} ${error instanceof Error ? error.stack : String(error)}`);
      throw new Error(`fatal: ${reason}`, { cause: error });
    },
  };
}

/** @param settings broker settings by Kafka's names, over port 0 on loopback. */
export async function startInProcess(
  settings: Readonly<Record<string, string>> = {},
  openIo: () => Io = () => openPortableIo(),
): Promise<InProcessBroker> {
  const config = parseBrokerConfig(
    Object.entries({ listeners: "PLAINTEXT://127.0.0.1:0", "log.dirs": "memory", ...settings }),
  );
  if (!config.ok) throw new Error(config.error.join("; "));
  const log: string[] = [];
  const io = openIo();
  const broker = new Broker(io, config.value, testAmbient(log));
  await broker.start();
  const port = broker.endpoints()[0]?.port ?? 0;
  return {
    broker,
    io: io as PortableIo,
    port,
    log,
    connect: () => Connection.open({ host: "127.0.0.1", port }),
    [Symbol.asyncDispose]: () => broker.stop(),
  };
}
