import { describe, expect, test } from "bun:test";
import {
  type ApiVersionsRequestInput,
  ErrorCode,
  Reader,
  Writer,
  apiVersionsApi,
} from "@mantou/protocol";
import { responseHeaderVersion } from "@mantou/protocol";
import { handleApiVersions, unsupportedApiVersions } from "../../src/handlers/api-versions.ts";
import { CLUSTER_ID, HandlerContext, ask, versionsOf } from "./handler-context.ts";

const software = { clientSoftwareName: "a-client", clientSoftwareVersion: "1.2.3" };

const apiVersions = (version: number, request: ApiVersionsRequestInput = software) =>
  ask(new HandlerContext(), apiVersionsApi, handleApiVersions, version, request);

describe("ApiVersions", () => {
  test.each(versionsOf(apiVersionsApi))("v%d tells what is served", async (version) => {
    const response = await apiVersions(version);
    expect(response.errorCode).toBe(ErrorCode.NONE);
    // Produce from 0, whatever is accepted: older librdkafka turns compression off otherwise.
    expect(response.apiKeys).toEqual([
      { apiKey: 0, minVersion: 0, maxVersion: 13 },
      { apiKey: 18, minVersion: 0, maxVersion: 5 },
    ]);
    const flexible = version >= 3;
    expect(response.finalizedFeatures).toEqual(
      flexible
        ? [
            { name: "metadata.version", maxVersionLevel: 30, minVersionLevel: 30 },
            { name: "group.version", maxVersionLevel: 1, minVersionLevel: 1 },
            { name: "transaction.version", maxVersionLevel: 2, minVersionLevel: 2 },
          ]
        : [],
    );
    expect(response.finalizedFeaturesEpoch).toBe(flexible ? 3 : -1);
  });

  test("no feature is finalised that switches clients to protocols we lack", async () => {
    const names = (await apiVersions(4)).finalizedFeatures.map(({ name }) => name);
    expect(names).not.toContain("share.version");
    expect(names).not.toContain("streams.version");
  });

  test("versions up to 3 hear of no feature that begins at 0", async () => {
    const { supportedFeatures } = await apiVersions(3);
    expect(supportedFeatures.every(({ minVersion }) => minVersion > 0)).toBe(true);
  });

  test.each(["", "-a", "a-", "a b", "ä", "a".repeat(256), ".", "a\n"])(
    "the software name %j is refused from version 3 on",
    async (name) => {
      const request = { ...software, clientSoftwareName: name };
      expect((await apiVersions(3, request)).errorCode).toBe(ErrorCode.INVALID_REQUEST);
      expect((await apiVersions(2, request)).errorCode).toBe(ErrorCode.NONE);
      const version = { ...software, clientSoftwareVersion: name };
      expect((await apiVersions(4, version)).errorCode).toBe(ErrorCode.INVALID_REQUEST);
    },
  );

  test.each(["a", "a.b-c", "7", "librdkafka", "a".repeat(255)])("%j is fine", async (name) => {
    const request = { clientSoftwareName: name, clientSoftwareVersion: name };
    expect((await apiVersions(3, request)).errorCode).toBe(ErrorCode.NONE);
  });

  test("version 5 may name the broker it looks for, whole and rightly", async () => {
    const identified = async (clusterId: string | null, nodeId: number) =>
      (await apiVersions(5, { ...software, clusterId, nodeId })).errorCode;
    expect(await identified(CLUSTER_ID, 1)).toBe(ErrorCode.NONE);
    expect(await identified(null, -1)).toBe(ErrorCode.NONE);
    expect(await identified("other", 1)).toBe(ErrorCode.REBOOTSTRAP_REQUIRED);
    expect(await identified(CLUSTER_ID, 2)).toBe(ErrorCode.REBOOTSTRAP_REQUIRED);
    expect(await identified(CLUSTER_ID, -1)).toBe(ErrorCode.INVALID_REQUEST);
    expect(await identified(null, 1)).toBe(ErrorCode.INVALID_REQUEST);
  });

  test("a version of the future is answered at version 0, with the one entry that helps", () => {
    const writer = new Writer(64);
    apiVersionsApi.response.encode(writer, unsupportedApiVersions(new HandlerContext().context), 0);
    expect(Buffer.from(writer.bytes.slice(0, writer.length)).toString("hex")).toBe(
      "002300000001001200000005",
    );
    const reader = new Reader(writer.bytes).reset(0, writer.length);
    expect(apiVersionsApi.response.decode(reader, 0).apiKeys).toHaveLength(1);
  });

  test("the response header is never flexible", () => {
    for (const version of versionsOf(apiVersionsApi)) {
      expect(responseHeaderVersion(apiVersionsApi, version)).toBe(0);
    }
  });
});
