export {
  type ApacheKafka,
  type ApacheKafkaOptions,
  freePorts,
  startApacheKafka,
} from "./broker.ts";
export {
  javaCommand,
  type JavaOptions,
  type JavaResult,
  KAFKA_TOOLS,
  type KafkaTool,
  runJava,
  runKafkaTool,
} from "./java.ts";
export {
  apacheKafkaJars,
  apacheKafkaMissing,
  apacheKafkaUnavailable,
  KAFKA_VERSION,
  kafkaStreamsJars,
} from "./jars.ts";
