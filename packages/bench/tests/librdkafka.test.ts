import { expect, test } from "bun:test";
import { parseRdkafkaReport } from "../src/librdkafka.ts";

const line = (delivered: number, rate: string): string =>
  `% 5000 messages produced (5120000 bytes), ${delivered} delivered (offset 0, 0 failed) ` +
  `in 1000ms: 5000 msgs/s and ${rate} MB/s, 0 produce failures, 0 in queue, no compression\n`;

test("the last summary of rdkafka_performance counts", () => {
  const report = parseRdkafkaReport(line(100, "1.00") + line(5000, "512.25"));
  expect(report).toEqual({ delivered: 5000, failed: 0, mbPerSecond: 512.25 });
  expect(parseRdkafkaReport("% no such thing")).toBeNull();
});
