import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { javaCommand, runJava } from "./java.ts";

export interface ApacheKafkaOptions {
  /** Lines of server.properties beside those that a single node needs. */
  readonly properties?: Readonly<Record<string, string>>;
  /** Where it keeps its data; a temporary folder, removed on stop, when absent. */
  readonly dataDirectory?: string;
  readonly heap?: string;
  /** How long the start may take, in milliseconds; 60,000 when absent. */
  readonly startTimeoutMs?: number;
}

/** A running broker of Apache's, one node that is its own controller. */
export interface ApacheKafka {
  readonly host: string;
  readonly port: number;
  readonly pid: number;
  readonly dataDirectory: string;
  /** Stops it (SIGTERM, or SIGKILL when `kill` is set) and removes a temporary folder. */
  stop(options?: { readonly kill?: boolean }): Promise<void>;
}

const CLUSTER_ID = "MkU3OEVBNTcwNTJENDM2Qk";
const HOST = "127.0.0.1";

/** Formats a data directory and starts a broker on a free port; resolves when it answers. */
export async function startApacheKafka(options: ApacheKafkaOptions = {}): Promise<ApacheKafka> {
  const temporary = options.dataDirectory === undefined;
  const dataDirectory = options.dataDirectory ?? (await mkdtemp(join(tmpdir(), "apache-kafka-")));
  const [port, controllerPort] = (await freePorts(2)) as [number, number];
  const file = join(dataDirectory, "server.properties");
  await Bun.write(file, propertiesText({ dataDirectory, port, controllerPort }, options));
  const remove = (): Promise<void> =>
    temporary ? rm(dataDirectory, { recursive: true, force: true }) : Promise.resolve();
  try {
    const format = ["format", "--ignore-formatted", "-t", CLUSTER_ID, "-c", file];
    const formatted = await runJava("kafka.tools.StorageTool", format);
    if (formatted.code !== 0) throw new Error(`format failed: ${formatted.stderr}`);
    const stop = await start(file, port, options);
    return {
      host: HOST,
      port,
      pid: stop.pid,
      dataDirectory,
      stop: async ({ kill = false } = {}) => {
        await stop.now(kill);
        await remove();
      },
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

async function start(file: string, port: number, options: ApacheKafkaOptions) {
  const heap = options.heap ?? "512m";
  const command = await javaCommand("kafka.Kafka", [file], { heap, logLevel: "warn" });
  const log = `${file}.log`;
  const child = Bun.spawn(command, { stdout: Bun.file(log), stderr: Bun.file(`${log}.err`) });
  // A test run that is cut short must not leave a virtual machine behind.
  const killOnExit = (): void => child.kill("SIGKILL");
  process.on("exit", killOnExit);
  const now = async (kill: boolean): Promise<void> => {
    child.kill(kill ? "SIGKILL" : "SIGTERM");
    await child.exited;
    process.off("exit", killOnExit);
  };
  const deadline = Date.now() + (options.startTimeoutMs ?? 60_000);
  while (!(await answers(port))) {
    if (child.exitCode !== null || Date.now() > deadline) {
      const words = await Bun.file(`${log}.err`).text();
      await now(true);
      throw new Error(`Apache Kafka did not start:\n${words.slice(-2000)}`);
    }
    await Bun.sleep(100);
  }
  return { pid: child.pid, now };
}

function propertiesText(
  at: { dataDirectory: string; port: number; controllerPort: number },
  options: ApacheKafkaOptions,
): string {
  const properties: Record<string, string> = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.quorum.voters": `1@${HOST}:${at.controllerPort}`,
    listeners: `PLAINTEXT://${HOST}:${at.port},CONTROLLER://${HOST}:${at.controllerPort}`,
    "advertised.listeners": `PLAINTEXT://${HOST}:${at.port}`,
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "log.dirs": join(at.dataDirectory, "logs"),
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "5",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "5",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    ...options.properties,
  };
  const lines = Object.entries(properties).map(([name, value]) => `${name}=${value}\n`);
  return lines.join("");
}

/** Ports that were free a moment ago. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve, reject) => {
          server.once("error", reject);
          server.listen(0, HOST, () => resolve((server.address() as { port: number }).port));
        }),
    ),
  );
  await Promise.all(
    servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))),
  );
  return ports;
}

/** Metadata version 1 for no topic at all: api 3, version 1, correlation 1, no client id. */
const METADATA_REQUEST = Buffer.from(
  ["0000000e", "00030001", "00000001", "ffff", "00000000"].join(""),
  "hex",
);

/** Whether a broker answers a Metadata request and names at least one broker. */
function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: HOST, port });
    let got = Buffer.alloc(0);
    const finish = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(1000, () => finish(false));
    socket.on("error", () => finish(false));
    socket.on("close", () => finish(false));
    socket.on("connect", () => socket.write(METADATA_REQUEST));
    socket.on("data", (chunk) => {
      got = Buffer.concat([got, chunk as Uint8Array]);
      if (got.length >= 12) finish(got.readInt32BE(8) > 0);
    });
  });
}
