import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { apacheKafkaJars, apacheKafkaUnavailable, kafkaStreamsJars } from "./apache-kafka/index.ts";
import { driversFolder } from "./driver-process.ts";

/**
 * What the tests need and we did not write, fetched from its registry into `tests/.cache`. Each
 * version is pinned in a file under `drivers/`, and a folder of the cache is named after that
 * file's content: a new pin is a new folder. Where a tool or a registry is missing there is a
 * reason, and the tests count as skipped.
 */
const cache = resolve(import.meta.dir, "..", ".cache");

export type Installation = { readonly folder: string } | { readonly skip: string };

const INSTALL_TIMEOUT_MS = 240_000;
const STDERR_BYTES_KEPT = 500;

/** Runs a command to its end; gives null, or the last words of a failure. */
async function failureOf(command: string[], cwd: string): Promise<string | null> {
  if (Bun.which(command[0] as string) === null) return `${command[0]} is not installed`;
  const child = Bun.spawn(command, {
    cwd,
    stdio: ["ignore", "pipe", "pipe"],
    timeout: INSTALL_TIMEOUT_MS,
    killSignal: "SIGKILL",
  });
  const [output, errors] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  if ((await child.exited) === 0) return null;
  const words = (output + errors).trim().split("\n").slice(-3).join(" ");
  return `${command[0]} failed: ${words.slice(-STDERR_BYTES_KEPT)}`;
}

/**
 * Fills a folder of the cache by `fill`, once. It appears under its name when it is whole, so that
 * a broken download is never taken for a good one, and two runs at once do no harm.
 */
function installOnce(
  name: string,
  pins: readonly string[],
  fill: (folder: string) => Promise<string | null>,
): Promise<Installation> {
  // Several test files of one process ask for the same clients at the same time.
  const begun = installing.get(name);
  if (begun !== undefined) return begun;
  const installation = install(name, pins, fill);
  installing.set(name, installation);
  return installation;
}

const installing = new Map<string, Promise<Installation>>();

async function install(
  name: string,
  pins: readonly string[],
  fill: (folder: string) => Promise<string | null>,
): Promise<Installation> {
  const hash = new Bun.CryptoHasher("sha256");
  for (const pin of pins) hash.update(readFileSync(join(driversFolder, pin)));
  const folder = join(cache, `${name}-${hash.digest("hex").slice(0, 12)}`);
  if (existsSync(folder)) return { folder };
  const partial = `${folder}.${process.pid}`;
  mkdirSync(partial, { recursive: true });
  try {
    const failure = await fill(partial);
    if (failure !== null) return { skip: failure };
    if (!existsSync(folder)) renameSync(partial, folder);
    return { folder };
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
}

const NODE_DRIVERS = [
  "serve.mjs",
  "kafkajs-driver.mjs",
  "platformatic-driver.mjs",
  "group-member.mjs",
  "kafkajs-group-member.mjs",
  "platformatic-group-member.mjs",
  "kafkajs-transactions.mjs",
];

/** Node's clients, with the drivers beside them, so that a plain import finds the clients. */
export async function installNodeClients(): Promise<Installation> {
  const pins = ["package.json", "package-lock.json"];
  const installation = await installOnce("node-clients", pins, (folder) => {
    for (const pin of pins) copyFileSync(join(driversFolder, pin), join(folder, pin));
    const quiet = ["--no-audit", "--no-fund", "--loglevel=error"];
    return failureOf(["npm", "ci", "--ignore-scripts", ...quiet], folder);
  });
  if ("skip" in installation) return installation;
  for (const driver of NODE_DRIVERS) {
    copyFileSync(join(driversFolder, driver), join(installation.folder, driver));
  }
  return installation;
}

/** librdkafka in its Python package; the folder goes into PYTHONPATH. */
export function installConfluentKafka(): Promise<Installation> {
  const pins = ["requirements.txt"];
  return installOnce("confluent-kafka", pins, (folder) => {
    const requirements = join(driversFolder, "requirements.txt");
    const pip = ["python3", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    return failureOf(
      [...pip, "--only-binary=:all:", "-r", requirements, "--target", folder],
      cache,
    );
  });
}

/** The Java driver, compiled against Apache's jars. */
export async function installJavaDriver(): Promise<Installation & { readonly jars?: string }> {
  const unavailable = await apacheKafkaUnavailable();
  if (unavailable !== null) return { skip: unavailable };
  const jars = join(await apacheKafkaJars(), "*");
  const source = "JavaClientDriver.java";
  const pins = [source, "../apache-kafka/pom.xml"];
  const installation = await installOnce("java-driver", pins, (folder) =>
    failureOf(["javac", "-d", folder, "-cp", jars, join(driversFolder, source)], cache),
  );
  return { ...installation, jars };
}

/** The Streams application, compiled against Apache's jars. */
export async function installStreams(): Promise<Installation & { readonly jars?: string }> {
  const unavailable = await apacheKafkaUnavailable();
  if (unavailable !== null) return { skip: unavailable };
  const jars = await kafkaStreamsJars().catch((error: unknown) => error as Error);
  if (jars instanceof Error) return { skip: jars.message.replaceAll(/\s+/g, " ").slice(0, 300) };
  const source = "StreamsWordCount.java";
  const installation = await installOnce(
    "streams-driver",
    [source, "../transactions/pom.xml"],
    (folder) =>
      failureOf(
        ["javac", "-d", folder, "-cp", join(jars, "*"), join(driversFolder, source)],
        cache,
      ),
  );
  return { ...installation, jars: join(jars, "*") };
}

/** kcat, from the path or, for root on a Debian, as a package. Gives its command. */
export async function installKcat(): Promise<
  { readonly command: string } | { readonly skip: string }
> {
  const found = Bun.which("kcat") ?? Bun.which("kafkacat");
  if (found !== null) return { command: found };
  if (process.getuid?.() !== 0 || Bun.which("apt-get") === null) {
    return { skip: "kcat is not installed" };
  }
  const quick = ["-o", "Acquire::Retries=0", "-o", "Acquire::http::Timeout=20"];
  const failure = await failureOf(["apt-get", "install", "-y", "-q", ...quick, "kcat"], cache);
  if (failure !== null) return { skip: failure };
  return { command: "kcat" };
}
