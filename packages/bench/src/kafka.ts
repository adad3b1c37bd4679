import { existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import {
  type BrokerKind,
  DELETE_DELAY_MS,
  freePorts,
  HOST,
  runningBroker,
  type RunningBroker,
} from "./brokers.ts";
import { guard, run } from "./children.ts";
import { javaLogFlag, javaPauses } from "./collector-pauses.ts";
import { ROOT } from "./paths.ts";

export const KAFKA_VERSION = "4.3.0";

/** The same folder that the conformance tests fill, so that it is fetched once. */
const cache = join(ROOT, "tests", ".cache");
const libs = join(cache, `apache-kafka-${KAFKA_VERSION}`);
const pom = join(ROOT, "tests", "conformance", "apache-kafka", "pom.xml");
const COPY_GOAL = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";

const CLUSTER_ID = "MkU3OEVBNTcwNTJENDM2Qk";
const FETCH_TIMEOUT_MS = 600_000;
const FORMAT_TIMEOUT_MS = 60_000;

/** What Kafka's own start script gives the virtual machine, with its heap of 1 GB. */
const BROKER_FLAGS = [
  "-Xmx1G",
  "-Xms1G",
  "-server",
  "-XX:+UseG1GC",
  "-XX:MaxGCPauseMillis=20",
  "-XX:InitiatingHeapOccupancyPercent=35",
  "-XX:+ExplicitGCInvokesConcurrent",
  "-XX:MaxInlineLevel=15",
  "-Djava.awt.headless=true",
];
/** What its scripts give to tools. */
const TOOL_FLAGS = ["-Xmx512M", ...BROKER_FLAGS.slice(2)];
const LOG_FLAG = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn";

/** The values of the server.properties that Kafka ships, but for addresses and the folder. */
const SHIPPED_PROPERTIES: Readonly<Record<string, string>> = {
  "num.network.threads": "3",
  "num.io.threads": "8",
  "socket.send.buffer.bytes": "102400",
  "socket.receive.buffer.bytes": "102400",
  "socket.request.max.bytes": "104857600",
  "num.partitions": "1",
  "num.recovery.threads.per.data.dir": "2",
  "offsets.topic.replication.factor": "1",
  "share.coordinator.state.topic.replication.factor": "1",
  "share.coordinator.state.topic.min.isr": "1",
  "transaction.state.log.replication.factor": "1",
  "transaction.state.log.min.isr": "1",
  "log.retention.hours": "168",
  "log.segment.bytes": "1073741824",
  "log.retention.check.interval.ms": "300000",
  // Not shipped: topics are deleted between runs, and their bytes must be gone before the next.
  "log.segment.delete.delay.ms": String(DELETE_DELAY_MS),
  "log.initial.task.delay.ms": String(DELETE_DELAY_MS),
};

/** The folder with Apache Kafka's jars; fetched with Maven when it is not there yet. */
export async function kafkaJars(): Promise<string> {
  if (existsSync(libs)) return libs;
  await mkdir(cache, { recursive: true });
  const partial = `${libs}.${process.pid}`;
  const command = ["mvn", "-B", "-q", "-f", pom, COPY_GOAL, `-DoutputDirectory=${partial}`];
  const { code, stdout, stderr } = await run(command, { timeoutMs: FETCH_TIMEOUT_MS });
  if (code !== 0) {
    await rm(partial, { recursive: true, force: true });
    throw new Error(`mvn could not fetch Apache Kafka ${KAFKA_VERSION}:\n${stdout}${stderr}`);
  }
  // Renamed when whole, so that a broken download is never taken for a good one.
  await rename(partial, libs);
  return libs;
}

/** The command line of one of Kafka's own tools, with the flags of its scripts. */
export async function kafkaTool(mainClass: string, args: readonly string[]): Promise<string[]> {
  const classPath = join(await kafkaJars(), "*");
  return ["java", ...TOOL_FLAGS, LOG_FLAG, "-cp", classPath, mainClass, ...args];
}

/** Apache Kafka: one node, broker and controller in one, stock settings, 1 GB heap. */
export async function kafkaKind(): Promise<BrokerKind> {
  if (Bun.which("java") === null) throw new Error("java is not installed; Kafka takes 17 or newer");
  await kafkaJars();
  const java = await run(["java", "-version"]);
  const version = /version "([^"]+)"/.exec(java.stderr)?.[1] ?? "?";
  return {
    system: "kafka",
    description: `Apache Kafka ${KAFKA_VERSION} (KRaft, one node, heap 1 GB, G1) on Java ${version}`,
    prepare: async (dataDirectory) => {
      const [port, controllerPort] = (await freePorts(2)) as [number, number];
      const file = propertiesFile(dataDirectory);
      await Bun.write(file, propertiesText(dataDirectory, port, controllerPort));
      const args = ["format", "-t", CLUSTER_ID, "-c", file];
      const command = await kafkaTool("kafka.tools.StorageTool", args);
      const { code, stderr } = await run(command, { timeoutMs: FORMAT_TIMEOUT_MS });
      if (code !== 0) throw new Error(`formatting Kafka's folder failed: ${stderr}`);
    },
    launch,
  };
}

const propertiesFile = (dataDirectory: string): string => join(dataDirectory, "server.properties");

async function launch(dataDirectory: string): Promise<RunningBroker> {
  const file = propertiesFile(dataDirectory);
  const port = Number(/:\/\/[^:]+:(\d+)/.exec(await Bun.file(file).text())?.[1]);
  const classPath = join(await kafkaJars(), "*");
  const collections = join(dataDirectory, "gc.log");
  const flags = [...BROKER_FLAGS, javaLogFlag(collections), LOG_FLAG, "-cp", classPath];
  const command = ["java", ...flags, "kafka.Kafka", file];
  const logs = [join(dataDirectory, "stdout.log"), join(dataDirectory, "stderr.log")] as const;
  const spawnedAtMs = performance.now();
  const child = guard(
    Bun.spawn(command, { stdio: ["ignore", Bun.file(logs[0]), Bun.file(logs[1])] }),
  );
  const pauses = async () => javaPauses(await Bun.file(collections).text());
  return runningBroker("kafka", port, child, logs, spawnedAtMs, pauses);
}

function propertiesText(dataDirectory: string, port: number, controllerPort: number): string {
  const properties = {
    ...SHIPPED_PROPERTIES,
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.quorum.voters": `1@${HOST}:${controllerPort}`,
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    "log.dirs": join(dataDirectory, "logs"),
  };
  const lines = Object.entries(properties).map(([name, value]) => `${name}=${value}\n`);
  // First, where `launch` looks for the port.
  lines.unshift(`listeners=PLAINTEXT://${HOST}:${port},CONTROLLER://${HOST}:${controllerPort}\n`);
  return lines.join("");
}
