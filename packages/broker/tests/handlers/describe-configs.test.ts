import { describe, expect, test } from "bun:test";
import { ErrorCode, describeConfigsApi } from "@mantou/protocol";
import { HandlerContext, versionsOf } from "./handler-context.ts";
import { BROKER, TOPIC, describeOne } from "./described-configs.ts";

describe("DescribeConfigs", () => {
  test.each(versionsOf(describeConfigsApi))("v%d, a topic", async (version) => {
    const broker = new HandlerContext({ "log.retention.hours": "2" });
    broker.create("t");
    const more = { includeSynonyms: true, includeDocumentation: version >= 3 };
    const result = await describeOne(broker, version, TOPIC, "t", more, ["retention.ms"]);
    expect(result).toMatchObject({ errorCode: 0, errorMessage: null, resourceType: TOPIC });
    expect(result?.configs).toHaveLength(1);
    expect(result?.configs[0]).toMatchObject({
      name: "retention.ms",
      value: "7200000",
      readOnly: false,
      configSource: 4,
      isSensitive: false,
      configType: version >= 3 ? 5 : 0,
      synonyms: [
        { name: "log.retention.hours", value: "2", source: 4 },
        { name: "log.retention.hours", value: "168", source: 5 },
      ],
    });
    const { documentation } = result?.configs[0] ?? {};
    if (version >= 3) expect(documentation).toContain("Age");
    else expect(documentation).toBe("");
  });

  test("synonyms and documentation only for those who ask", async () => {
    const broker = new HandlerContext();
    broker.create("t");
    const result = await describeOne(broker, 4, TOPIC, "t");
    expect(result?.configs.length).toBeGreaterThan(15);
    for (const config of result?.configs ?? []) {
      expect(config.synonyms).toEqual([]);
      expect(config.documentation).toBeNull();
    }
    const noKeys = await describeOne(broker, 4, TOPIC, "t", {}, []);
    expect(noKeys?.configs).toHaveLength(result?.configs.length as number);
  });

  test("brokers: itself, all of them, and nobody else", async () => {
    const broker = new HandlerContext({ "num.partitions": "3" });
    broker.join(2);
    const itself = await describeOne(broker, 4, BROKER, "1");
    const byName = new Map(itself?.configs.map((config) => [config.name, config]));
    expect(byName.get("num.partitions")).toMatchObject({
      value: "3",
      configSource: 4,
      readOnly: false,
    });
    expect(byName.get("listeners")).toMatchObject({ readOnly: true });
    expect(await describeOne(broker, 4, BROKER, "")).toMatchObject({ errorCode: 0, configs: [] });
    for (const name of ["2", "x", "01"]) {
      const result = await describeOne(broker, 4, BROKER, name);
      expect(result?.errorCode).toBe(ErrorCode.INVALID_REQUEST);
    }
  });

  test("errors are per resource", async () => {
    const broker = new HandlerContext();
    const code = async (type: number, name: string) =>
      (await describeOne(broker, 1, type, name))?.errorCode;
    expect(await code(TOPIC, "nobody")).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
    expect(await code(TOPIC, "b@d")).toBe(ErrorCode.INVALID_TOPIC_EXCEPTION);
    expect(await code(8, "1")).toBe(ErrorCode.INVALID_REQUEST);
    expect(await code(99, "1")).toBe(ErrorCode.INVALID_REQUEST);
  });
});
