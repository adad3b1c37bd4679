import { describe, expect, test } from "bun:test";
import { ErrorCode, incrementalAlterConfigsApi } from "@mantou/protocol";
import { handleIncrementalAlterConfigs } from "../../src/handlers/incremental-alter-configs.ts";
import { HandlerContext, ask, versionsOf } from "./handler-context.ts";
import { BROKER, TOPIC, describeOne } from "./described-configs.ts";

describe("IncrementalAlterConfigs", () => {
  test.each(versionsOf(incrementalAlterConfigsApi))(
    "v%d: what changes is in force in the next description",
    async (version) => {
      const broker = new HandlerContext();
      broker.create("t");
      const change = (configOperation: number, value: string | null, validateOnly = false) =>
        ask(broker, incrementalAlterConfigsApi, handleIncrementalAlterConfigs, version, {
          resources: [
            {
              resourceType: TOPIC,
              resourceName: "t",
              configs: [{ name: "retention.ms", configOperation, value }],
            },
            { resourceType: BROKER, resourceName: "", configs: [] },
          ],
          validateOnly,
        });
      const shown = async () =>
        (await describeOne(broker, 4, TOPIC, "t", {}, ["retention.ms"]))?.configs[0];
      const response = await change(0, "5");
      expect(response.responses).toMatchObject([
        { errorCode: 0, errorMessage: null, resourceType: TOPIC, resourceName: "t" },
        { errorCode: 0, resourceType: BROKER, resourceName: "" },
      ]);
      expect(await shown()).toMatchObject({ value: "5", configSource: 1 });
      expect((await change(0, "x", true)).responses[0]?.errorCode).toBe(ErrorCode.INVALID_CONFIG);
      expect((await change(0, "6", true)).responses[0]?.errorCode).toBe(0);
      expect(await shown()).toMatchObject({ value: "5" });
      await change(1, null);
      expect(await shown()).toMatchObject({ value: "604800000", configSource: 5 });
    },
  );

  test("broker settings change what handlers see", async () => {
    const broker = new HandlerContext();
    await ask(broker, incrementalAlterConfigsApi, handleIncrementalAlterConfigs, 1, {
      resources: [
        {
          resourceType: BROKER,
          resourceName: "1",
          configs: [{ name: "num.partitions", configOperation: 0, value: "4" }],
        },
      ],
      validateOnly: false,
    });
    expect(broker.context.config.numPartitions).toBe(4);
  });
});
