import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { apacheKafkaJars, apacheKafkaMissing } from "./apache-kafka/index.ts";

/**
 * Kafka clients that we did not write, installed from their registries into `tests/.cache`.
 * Each is driven by a small program in its own language that takes JSON and gives JSON.
 */
const cache = join(import.meta.dir, "..", ".cache");
const drivers = join(import.meta.dir, "drivers");

export interface DriverRecord {
  readonly partition: number;
  /** Base64, or null. */
  readonly key: string | null;
  readonly value: string | null;
  readonly headers: readonly (readonly [name: string, value: string | null])[];
  readonly timestamp: number;
}

export interface DriverCommand {
  readonly op: "produce" | "consume" | "offsets" | "admin";
  readonly bootstrap: string;
  readonly topic: string;
  readonly [setting: string]: unknown;
}

export interface DriverAnswer {
  readonly ok: boolean;
  readonly error?: string;
  readonly offsets?: readonly number[];
  readonly records?: readonly (Omit<DriverRecord, "partition"> & { readonly offset: number })[];
  readonly [figure: string]: unknown;
}

export interface ForeignClient {
  readonly name: string;
  readonly codecs: readonly string[];
  /** Whether it can read by assignment, without a consumer group. */
  readonly consumes: boolean;
  /** Whether a header may have no value. */
  readonly nullHeaders: boolean;
  run(command: DriverCommand): Promise<DriverAnswer>;
}

export type Installed = { readonly client: ForeignClient } | { readonly skip: string };

async function tryRun(command: string[], cwd: string): Promise<string | null> {
  try {
    const child = Bun.spawn(command, { cwd, stdio: ["ignore", "pipe", "pipe"] });
    const [output, errors] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    if ((await child.exited) === 0) return null;
    return (errors + output).trim().split("\n").slice(-1)[0] ?? "failed";
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** One process per command: JSON in on stdin, JSON out on stdout. */
function processDriver(command: string[], cwd: string): ForeignClient["run"] {
  return async (order) => {
    const child = Bun.spawn(command, {
      cwd,
      stdin: new TextEncoder().encode(JSON.stringify(order)),
      stdout: "pipe",
      stderr: "pipe",
    });
    const [output, errors] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    await child.exited;
    try {
      return JSON.parse(output) as DriverAnswer;
    } catch {
      throw new Error(`${command.join(" ")} gave no JSON: ${output}\n${errors}`);
    }
  };
}

export async function installConfluentKafka(): Promise<Installed> {
  const home = join(cache, "confluent-kafka");
  const python = join(home, "bin", "python");
  if (!existsSync(join(home, "installed"))) {
    mkdirSync(cache, { recursive: true });
    const failed =
      (await tryRun(["python3", "-m", "venv", home], cache)) ??
      (await tryRun([python, "-m", "pip", "install", "-q", "confluent-kafka==2.12.1"], cache));
    if (failed !== null) return { skip: `confluent-kafka cannot be installed: ${failed}` };
    writeFileSync(join(home, "installed"), "");
  }
  return {
    client: {
      name: "librdkafka (confluent-kafka)",
      codecs: ["none", "gzip", "snappy", "lz4", "zstd"],
      consumes: true,
      nullHeaders: true,
      run: processDriver([python, join(drivers, "confluent_kafka_driver.py")], cache),
    },
  };
}

async function installNodeClient(folder: string, packages: string[]): Promise<string | null> {
  const home = join(cache, folder);
  if (existsSync(join(home, "installed"))) return null;
  mkdirSync(home, { recursive: true });
  writeFileSync(join(home, "package.json"), JSON.stringify({ private: true }));
  const failed =
    (await tryRun(["node", "--version"], home)) ??
    (await tryRun(["npm", "install", "--no-audit", "--no-fund", "--silent", ...packages], home));
  if (failed !== null) return `${folder} cannot be installed: ${failed}`;
  writeFileSync(join(home, "installed"), "");
  return null;
}

export async function installKafkajs(): Promise<Installed> {
  const skip = await installNodeClient("kafkajs", ["kafkajs@2.2.4", "kafkajs-snappy@1.1.0"]);
  if (skip !== null) return { skip };
  return {
    client: {
      name: "kafkajs",
      codecs: ["none", "gzip", "snappy"],
      consumes: false,
      nullHeaders: false,
      run: processDriver(["node", join(drivers, "kafkajs-driver.mjs")], join(cache, "kafkajs")),
    },
  };
}

export async function installPlatformatic(): Promise<Installed> {
  const skip = await installNodeClient("platformatic", ["@platformatic/kafka@2.9.0"]);
  if (skip !== null) return { skip };
  return {
    client: {
      name: "@platformatic/kafka",
      codecs: ["none", "gzip", "snappy", "lz4"],
      consumes: false,
      nullHeaders: false,
      run: processDriver(
        ["node", join(drivers, "platformatic-driver.mjs")],
        join(cache, "platformatic"),
      ),
    },
  };
}

/** Apache's own clients. One virtual machine serves all commands: its start costs a second. */
export async function installJavaClients(): Promise<Installed> {
  const missing = apacheKafkaMissing();
  if (missing !== null) return { skip: `Java clients: ${missing}` };
  let classPath: string;
  try {
    classPath = join(await apacheKafkaJars(), "*");
  } catch (error) {
    return { skip: `Java clients: ${error instanceof Error ? error.message : String(error)}` };
  }
  const flags = ["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];
  const source = join(drivers, "JavaClientDriver.java");
  const quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=off";
  const child = Bun.spawn(["java", ...flags, quiet, "-cp", classPath, source], {
    cwd: cache,
    stdio: ["pipe", "pipe", "inherit"],
  });
  const answers = lines(child.stdout);
  return {
    client: {
      name: "Java",
      codecs: ["none", "gzip", "snappy", "lz4", "zstd"],
      consumes: true,
      nullHeaders: true,
      run: async (command) => {
        child.stdin.write(`${JSON.stringify(command)}\n`);
        await child.stdin.flush();
        const { value, done } = await answers.next();
        if (done === true) throw new Error("the Java driver has ended");
        return JSON.parse(value) as DriverAnswer;
      },
    },
  };
}

async function* lines(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop() ?? "";
    yield* parts;
  }
}
