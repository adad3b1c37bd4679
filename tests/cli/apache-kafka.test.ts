import { afterAll, beforeAll, describe } from "bun:test";
import {
  type ApacheKafka,
  apacheKafkaUnavailable,
  startApacheKafka,
} from "../conformance/apache-kafka/index.ts";
import { dailyWork } from "./daily-work.ts";
import { groupWork } from "./group-work.ts";

const missing = await apacheKafkaUnavailable();

/** The same work against the broker that everybody knows: nothing of ours is assumed. */
describe.skipIf(missing !== null)(
  `the command line and Apache Kafka${missing === null ? "" : ` (skipped: ${missing})`}`,
  () => {
    let kafka: ApacheKafka;

    beforeAll(async () => {
      kafka = await startApacheKafka({
        // On a busy machine a heartbeat may be late; a fenced broker would refuse everything.
        properties: { "broker.session.timeout.ms": "60000" },
      });
    }, 300_000);

    afterAll(async () => {
      await kafka?.stop({ kill: true });
    }, 60_000);

    dailyWork(() => `${kafka.host}:${kafka.port}`);
    groupWork(() => `${kafka.host}:${kafka.port}`);
  },
);
