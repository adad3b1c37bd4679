import { existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { join, resolve } from "node:path";

/** The release that the tests compare with; the pom names the same. */
export const KAFKA_VERSION = "4.3.0";

const cache = resolve(import.meta.dir, "../../.cache");
const libs = join(cache, `apache-kafka-${KAFKA_VERSION}`);

/** Why Apache Kafka cannot be run here, or null: a test without it counts as skipped. */
export function apacheKafkaMissing(): string | null {
  if (Bun.which("java") === null) return "java is not installed";
  if (!existsSync(libs) && Bun.which("mvn") === null) return "mvn is not installed";
  return null;
}

/**
 * The folder with Apache Kafka's jars, its command line tools included. Fetched once, with Maven,
 * into tests/.cache. Throws with Maven's own words when that fails.
 */
export async function apacheKafkaJars(): Promise<string> {
  if (existsSync(libs)) return libs;
  await mkdir(cache, { recursive: true });
  const partial = `${libs}.${process.pid}`;
  const pom = join(import.meta.dir, "pom.xml");
  const goal = ["dependency:copy-dependencies", `-DoutputDirectory=${partial}`];
  const maven = Bun.spawn(["mvn", "-B", "-q", "-f", pom, ...goal], {
    stdout: "pipe",
    stderr: "pipe",
  });
  const [output, code] = await Promise.all([new Response(maven.stdout).text(), maven.exited]);
  if (code !== 0) {
    await rm(partial, { recursive: true, force: true });
    throw new Error(`mvn could not fetch Apache Kafka ${KAFKA_VERSION}:\n${output.trim()}`);
  }
  // Renamed when whole, so that a broken download is never taken for a good one.
  try {
    await rename(partial, libs);
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    if (!existsSync(libs)) throw error;
  }
  return libs;
}
