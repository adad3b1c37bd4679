import { join } from "node:path";
import {
  type DriverAnswer,
  type DriverCommand,
  DriverProcess,
  driversFolder,
} from "./driver-process.ts";
import { installConfluentKafka, installJavaDriver, installNodeClients } from "./installations.ts";

/** A Kafka client that we did not write. */
export interface ForeignClient {
  readonly codecs: readonly string[];
  /** Whether a header may have no value. */
  readonly nullHeaders: boolean;
  /** Whether it changes configs one by one; the others replace all of them. */
  readonly altersIncrementally: boolean;
  /** Whether it reads the framing in which Java writes snappy. */
  readonly readsXerial: boolean;
  run(command: DriverCommand): Promise<DriverAnswer>;
  close(): Promise<void>;
}

/** A client, or the reason for which its tests are skipped. */
export type Found = ForeignClient | { readonly skip: string };

export interface ClientFamily {
  readonly name: string;
  /** Installs what is missing and starts the client's driver. */
  readonly find: () => Promise<Found>;
}

const CODECS = ["none", "gzip", "snappy", "lz4", "zstd"];

interface Traits {
  readonly codecs?: readonly string[];
  readonly nullHeaders?: boolean;
  readonly altersIncrementally?: boolean;
  readonly readsXerial?: boolean;
}

/** Starts a driver; its program may be gone although what it drives is in the cache. */
function clientOf(
  command: readonly string[],
  options: ConstructorParameters<typeof DriverProcess>[1],
  traits: Traits = {},
): Found {
  const program = command[0] as string;
  if (Bun.which(program) === null) return { skip: `${program} is not installed` };
  const driver = new DriverProcess(command, options);
  return {
    codecs: CODECS,
    nullHeaders: true,
    altersIncrementally: true,
    readsXerial: true,
    ...traits,
    run: (order) => driver.run(order),
    close: () => driver.close(),
  };
}

/** Apache's own clients. */
async function java(): Promise<Found> {
  const installation = await installJavaDriver();
  if ("skip" in installation) return installation;
  const flags = ["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"];
  const quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=off";
  const classPath = `${installation.folder}:${installation.jars}`;
  const command = ["java", ...flags, quiet, "-cp", classPath, "JavaClientDriver"];
  return clientOf(command, { cwd: installation.folder });
}

async function confluentKafka(): Promise<Found> {
  const installation = await installConfluentKafka();
  if ("skip" in installation) return installation;
  const command = ["python3", join(driversFolder, "confluent_kafka_driver.py")];
  const environment = { PYTHONPATH: installation.folder, PYTHONDONTWRITEBYTECODE: "1" };
  return clientOf(command, { cwd: installation.folder, environment });
}

async function kafkajs(): Promise<Found> {
  const installation = await installNodeClients();
  if ("skip" in installation) return installation;
  const traits = {
    codecs: CODECS.filter((codec) => codec !== "zstd"),
    nullHeaders: false,
    altersIncrementally: false,
  };
  return clientOf(["node", "kafkajs-driver.mjs"], { cwd: installation.folder }, traits);
}

/** The first release line runs on Node 20, and has no zstd there. */
async function platformaticOnNode(): Promise<Found> {
  const installation = await installNodeClients();
  if ("skip" in installation) return installation;
  const command = ["node", "platformatic-driver.mjs", "@platformatic/kafka-1"];
  const codecs = CODECS.filter((codec) => codec !== "zstd");
  return clientOf(command, { cwd: installation.folder }, { codecs, readsXerial: false });
}

/** The second needs a newer Node than many have, or Bun. */
async function platformaticOnBun(): Promise<Found> {
  const installation = await installNodeClients();
  if ("skip" in installation) return installation;
  const command = [process.execPath, "platformatic-driver.mjs", "@platformatic/kafka"];
  return clientOf(command, { cwd: installation.folder });
}

export const clientFamilies: readonly ClientFamily[] = [
  { name: "Java", find: java },
  { name: "librdkafka (confluent-kafka)", find: confluentKafka },
  { name: "kafkajs", find: kafkajs },
  { name: "@platformatic/kafka 1 on Node", find: platformaticOnNode },
  { name: "@platformatic/kafka 2 on Bun", find: platformaticOnBun },
];
