import { join } from "node:path";
import { apacheKafkaJars } from "./jars.ts";

export interface JavaResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface JavaOptions {
  /** What the program reads from its standard input. */
  readonly input?: string | Uint8Array;
  /** When it is killed, in milliseconds; 60,000 when absent. */
  readonly timeoutMs?: number;
  readonly heap?: string;
  /** "error" when absent; Kafka's own log goes to standard error. */
  readonly logLevel?: "error" | "warn" | "info" | "debug";
}

/** Apache's command line tools by the name of their script, each with its main class. */
export const KAFKA_TOOLS = {
  "kafka-acls": "org.apache.kafka.tools.AclCommand",
  "kafka-broker-api-versions": "org.apache.kafka.tools.BrokerApiVersionsCommand",
  "kafka-cluster": "org.apache.kafka.tools.ClusterTool",
  "kafka-configs": "kafka.admin.ConfigCommand",
  "kafka-console-consumer": "org.apache.kafka.tools.consumer.ConsoleConsumer",
  "kafka-console-producer": "org.apache.kafka.tools.ConsoleProducer",
  "kafka-consumer-groups": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
  "kafka-delete-records": "org.apache.kafka.tools.DeleteRecordsCommand",
  "kafka-dump-log": "org.apache.kafka.tools.DumpLogSegments",
  "kafka-features": "org.apache.kafka.tools.FeatureCommand",
  "kafka-get-offsets": "org.apache.kafka.tools.GetOffsetShell",
  "kafka-groups": "org.apache.kafka.tools.GroupsCommand",
  "kafka-leader-election": "org.apache.kafka.tools.LeaderElectionCommand",
  "kafka-log-dirs": "org.apache.kafka.tools.LogDirsCommand",
  "kafka-metadata-quorum": "org.apache.kafka.tools.MetadataQuorumCommand",
  "kafka-producer-perf-test": "org.apache.kafka.tools.ProducerPerformance",
  "kafka-reassign-partitions": "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
  "kafka-consumer-perf-test": "org.apache.kafka.tools.ConsumerPerformance",
  "kafka-topics": "org.apache.kafka.tools.TopicCommand",
  "kafka-transactions": "org.apache.kafka.tools.TransactionsCommand",
  "kafka-verifiable-consumer": "org.apache.kafka.tools.VerifiableConsumer",
  "kafka-verifiable-producer": "org.apache.kafka.tools.VerifiableProducer",
} as const;
export type KafkaTool = keyof typeof KAFKA_TOOLS;

/** The command line that runs a main class of the jars. */
export async function javaCommand(
  mainClass: string,
  args: readonly string[],
  options: JavaOptions = {},
): Promise<string[]> {
  const flags = [
    `-Xmx${options.heap ?? "256m"}`,
    // Half of a tool's time is the start of its virtual machine.
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Xshare:auto",
    `-Dorg.slf4j.simpleLogger.defaultLogLevel=${options.logLevel ?? "error"}`,
  ];
  const classPath = join(await apacheKafkaJars(), "*");
  return ["java", ...flags, "-cp", classPath, mainClass, ...args];
}

/** Runs a main class of the jars to its end. A program that takes too long is killed (code -1). */
export async function runJava(
  mainClass: string,
  args: readonly string[],
  options: JavaOptions = {},
): Promise<JavaResult> {
  const { input = "", timeoutMs = 60_000 } = options;
  const child = Bun.spawn(await javaCommand(mainClass, args, options), {
    stdin: typeof input === "string" ? new TextEncoder().encode(input) : input,
    stdout: "pipe",
    stderr: "pipe",
    timeout: timeoutMs,
    killSignal: "SIGKILL",
  });
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  await child.exited;
  return { code: child.exitCode ?? -1, stdout, stderr };
}

/** Runs one of Apache's command line tools, such as `kafka-topics`. */
export const runKafkaTool = (
  tool: KafkaTool,
  args: readonly string[],
  options: JavaOptions = {},
): Promise<JavaResult> => runJava(KAFKA_TOOLS[tool], args, options);
