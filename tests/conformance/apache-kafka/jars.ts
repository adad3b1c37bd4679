import { existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { join, resolve } from "node:path";

/** The release that the tests compare with; the pom names the same. */
export const KAFKA_VERSION = "4.3.0";

/** The plugin is pinned as well; without a version Maven would take the newest. */
const COPY_GOAL = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";

const FETCH_TIMEOUT_MS = 240_000;

const cache = resolve(import.meta.dir, "../../.cache");
const libs = join(cache, `apache-kafka-${KAFKA_VERSION}`);

/** Kafka's server side and its tools are compiled for this version of Java. */
const JAVA_VERSION_MIN = 17;

/** Why Apache Kafka cannot be run here, or null. Fetches nothing: see `apacheKafkaUnavailable`. */
export function apacheKafkaMissing(): string | null {
  if (Bun.which("java") === null) return "java is not installed";
  const { stderr } = Bun.spawnSync(["java", "-version"], { stderr: "pipe", stdout: "ignore" });
  const version = Number(/version "(\d+)/.exec(stderr.toString())?.[1] ?? Number.NaN);
  if (!(version >= JAVA_VERSION_MIN)) return `java ${version} is older than ${JAVA_VERSION_MIN}`;
  if (!existsSync(libs) && Bun.which("mvn") === null) return "mvn is not installed";
  return null;
}

let unavailable: Promise<string | null> | null = null;

/** As `apacheKafkaMissing`, after one attempt to fetch what is not there yet; on one line. */
export function apacheKafkaUnavailable(): Promise<string | null> {
  // Every test file asks; where the network hangs, one wait is enough.
  unavailable ??= fetchFailure();
  return unavailable;
}

async function fetchFailure(): Promise<string | null> {
  const missing = apacheKafkaMissing();
  if (missing !== null) return missing;
  try {
    await apacheKafkaJars();
    return null;
  } catch (error) {
    const words = Bun.stripANSI(error instanceof Error ? error.message : String(error));
    return words.replaceAll(/\s+/g, " ").slice(0, 300);
  }
}

/**
 * The folder with Apache Kafka's jars, its command line tools included. Fetched once, with Maven,
 * into tests/.cache. Throws with Maven's own words when that fails.
 */
export const apacheKafkaJars = (): Promise<string> =>
  fetchJars(join(import.meta.dir, "pom.xml"), libs);

/** As `apacheKafkaJars`, for Kafka Streams with its clients. */
export const kafkaStreamsJars = (): Promise<string> =>
  fetchJars(
    join(import.meta.dir, "..", "transactions", "pom.xml"),
    join(cache, `kafka-streams-${KAFKA_VERSION}`),
  );

async function fetchJars(pom: string, folder: string): Promise<string> {
  if (existsSync(folder)) return folder;
  await mkdir(cache, { recursive: true });
  const partial = `${folder}.${process.pid}`;
  const goal = [COPY_GOAL, `-DoutputDirectory=${partial}`];
  const maven = Bun.spawn(["mvn", "-B", "-q", "-f", pom, ...goal], {
    stdout: "pipe",
    stderr: "pipe",
    timeout: FETCH_TIMEOUT_MS,
    killSignal: "SIGKILL",
  });
  const [output, code] = await Promise.all([new Response(maven.stdout).text(), maven.exited]);
  if (code !== 0) {
    await rm(partial, { recursive: true, force: true });
    throw new Error(`mvn could not fetch Apache Kafka ${KAFKA_VERSION}:\n${output.trim()}`);
  }
  // Renamed when whole, so that a broken download is never taken for a good one.
  try {
    await rename(partial, folder);
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    if (!existsSync(folder)) throw error;
  }
  return folder;
}
