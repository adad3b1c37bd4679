import { describe, expect, test } from "bun:test";
import { ErrorCode, alterConfigsApi } from "@mantou/protocol";
import { handleAlterConfigs } from "../../src/handlers/alter-configs.ts";
import { HandlerContext, ask, versionsOf } from "./handler-context.ts";
import { TOPIC } from "./described-configs.ts";

describe("AlterConfigs", () => {
  test.each(versionsOf(alterConfigsApi))("v%d replaces the whole", async (version) => {
    const broker = new HandlerContext();
    broker.create("t");
    const replace = (...pairs: [string, string][]) =>
      ask(broker, alterConfigsApi, handleAlterConfigs, version, {
        resources: [
          {
            resourceType: TOPIC,
            resourceName: "t",
            configs: pairs.map(([name, value]) => ({ name, value })),
          },
        ],
        validateOnly: false,
      });
    const own = () => Object.fromEntries(broker.image.settingsOf(TOPIC, "t"));
    await replace(["retention.ms", "5"], ["segment.ms", "6"]);
    expect(own()).toEqual({ "retention.ms": "5", "segment.ms": "6" });
    await replace(["segment.ms", "7"]);
    expect(own()).toEqual({ "segment.ms": "7" });
    const refused = await replace(["segment.ms", "0"]);
    expect(refused.responses[0]?.errorCode).toBe(ErrorCode.INVALID_CONFIG);
    expect(own()).toEqual({ "segment.ms": "7" });
  });
});
