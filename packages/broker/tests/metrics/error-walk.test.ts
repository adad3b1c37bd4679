import { expect, test } from "bun:test";
import { allApis, fetchApi, heartbeatApi, metadataApi, produceApi } from "@mantou/protocol";
import type { AnyApi } from "@mantou/protocol";
import { compileErrorWalk } from "../../src/metrics/error-walk.ts";

const codesOf = (api: AnyApi, response: unknown): number[] => {
  const codes: number[] = [];
  compileErrorWalk(api)(response, (code) => codes.push(code));
  return codes;
};

test("codes are found at every depth, and NONE is not counted", () => {
  const partition = (errorCode: number) => ({ index: 0, errorCode, recordErrors: [] });
  const topics = [
    { name: "a", partitionResponses: [partition(0), partition(3)] },
    { name: "b", partitionResponses: [partition(-1)] },
  ];
  expect(codesOf(produceApi, { responses: topics })).toEqual([3, -1]);
  expect(codesOf(fetchApi, { errorCode: 70, responses: [] })).toEqual([70]);
  expect(codesOf(heartbeatApi, { errorCode: 27 })).toEqual([27]);
  expect(codesOf(heartbeatApi, {})).toEqual([]);
  const metadata = { topics: [{ errorCode: 5, partitions: [{ errorCode: 9 }] }] };
  expect(codesOf(metadataApi, metadata)).toEqual([5, 9]);
});

test("every API compiles, and an empty response has no errors", () => {
  for (const api of allApis) expect([api.name, codesOf(api, {})]).toEqual([api.name, []]);
});
