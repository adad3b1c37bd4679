import { expect, test } from "bun:test";
import { ErrorCode, Reader, Writer } from "@mantou/protocol";
import { ControllerError } from "../src/drivers/controller-errors.ts";
import { metadataFailure } from "../src/drivers/metadata.ts";
import { servedApis } from "../src/apis.ts";
import { UNEXPECTED } from "../src/refusals.ts";

test("what the controller does not take is told by a code that clients try again", () => {
  const codeOf = (code: ConstructorParameters<typeof ControllerError>[0]): number | undefined =>
    metadataFailure(new ControllerError(code, "because"))?.errorCode;
  expect(codeOf("NOT_LEADER")).toBe(ErrorCode.NOT_CONTROLLER);
  expect(codeOf("LEADERSHIP_LOST")).toBe(ErrorCode.NOT_CONTROLLER);
  expect(codeOf("OVERLOADED")).toBe(ErrorCode.REQUEST_TIMED_OUT);
  expect(metadataFailure(new Error("a defect"))).toBeNull();
});

test("every served API has a refusal that its own schema can carry, in every version", () => {
  for (const { api, maxVersion, refuse } of servedApis) {
    for (let version = api.minVersion; version <= maxVersion; version += 1) {
      const request = emptyRequest(api.name);
      const writer = new Writer(1024);
      api.response.encode(writer, refuse(request, UNEXPECTED, version), version);
      const reader = new Reader(writer.bytes).reset(0, writer.length);
      expect(() => api.response.decode(reader, version), `${api.name} ${version}`).not.toThrow();
    }
  }
});

/** Enough of each request for its refusal: one item of everything that is answered by item. */
function emptyRequest(name: string): unknown {
  const topicId = "AAAAAAAAAAAAAAAAAAAAAA";
  const partitions = [{ partition: 0, partitionIndex: 0, index: 0 }];
  const topic = {
    name: "t",
    topic: "t",
    topicId,
    partitions,
    partitionData: partitions,
    partitionIndexes: [0],
  };
  return {
    topics: [topic],
    topicData: [topic],
    topicNames: ["t"],
    key: "g",
    coordinatorKeys: ["g"],
    groupsNames: ["g"],
    groupIds: ["g"],
    groups: name === "OffsetFetch" ? [{ groupId: "g", topics: [topic] }] : ["g"],
    groupId: "g",
    memberId: "m",
    transactions: [{ transactionalId: "x", topics: [{ name: "t", partitions: [0] }] }],
    transactionalIds: ["x"],
    v3AndBelowTransactionalId: "x",
    v3AndBelowTopics: [{ name: "t", partitions: [0] }],
    markers: [{ producerId: 1, topics: [topic] }],
    resources: [{ resourceType: 2, resourceName: "t" }],
  };
}
