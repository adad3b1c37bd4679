import { describe, expect, test } from "bun:test";
import { Prng } from "@mantou/base";
import {
  DecodeError,
  FrameSplitter,
  Reader,
  apiVersionsApi,
  decodeResponseHeader,
  encodeRequestFrame,
  encodeResponseFrame,
} from "../src/index.ts";
import { seed } from "./messages.ts";

/** Spaces show the fields. */
const hex = (text: string): string => text.replaceAll(" ", "");

describe("frames", () => {
  test("a request is its size, its header and its body", () => {
    const request = { clientSoftwareName: "a", clientSoftwareVersion: "1" };
    const frame = encodeRequestFrame(apiVersionsApi, 3, 9, "c", request);
    expect(frame.toHex()).toBe(hex("00000011 0012 0003 00000009 000163 00 0261 0231 00"));
  });

  test("a response is its size, its header and its body", () => {
    const frame = encodeResponseFrame(apiVersionsApi, 0, 9, { errorCode: 35, apiKeys: [] });
    expect(frame.toHex()).toBe(hex("0000000a 00000009 0023 00000000"));
    const reader = new Reader(frame).reset(4, frame.length - 4);
    expect(decodeResponseHeader(reader, apiVersionsApi, 0).correlationId).toBe(9);
  });
});

describe("a stream of frames", () => {
  const framesOf = (lengths: number[]): { stream: Uint8Array; frames: string[] } => {
    const frames = lengths.map((length, i) => new Uint8Array(length).fill(i + 1));
    const parts = frames.flatMap((frame) => {
      const prefix = new Uint8Array(4);
      new DataView(prefix.buffer).setInt32(0, frame.length);
      return [prefix, frame];
    });
    return { stream: Buffer.concat(parts), frames: frames.map((frame) => frame.toHex()) };
  };

  test(`is cut the same however it arrives, MANTOU_SEED=${seed}`, () => {
    const { stream, frames } = framesOf([1, 0, 300, 4, 0, 0, 70, 5000, 2]);
    const prng = new Prng(seed);
    for (const step of [1, 2, 3, 4, 5, 7, 64, 4096, stream.length]) {
      const splitter = new FrameSplitter(10_000);
      const got: string[] = [];
      for (let at = 0; at < stream.length;) {
        const length = prng.between(1, step);
        for (const frame of splitter.push(stream.subarray(at, at + length)))
          got.push(frame.toHex());
        at += length;
      }
      expect({ step, got }).toEqual({ step, got: frames });
    }
  });

  test("a frame that is not complete is not given", () => {
    const splitter = new FrameSplitter(10);
    expect(splitter.push(Uint8Array.fromHex("0000000201"))).toEqual([]);
    expect(splitter.push(Uint8Array.fromHex("02"))).toEqual([Uint8Array.of(1, 2)]);
  });

  test("a length that is negative or too large is refused", () => {
    for (const prefix of ["ffffffff", "80000000", "0000000b", "7fffffff", "48545450"]) {
      const splitter = new FrameSplitter(10);
      expect(() => splitter.push(Uint8Array.fromHex(prefix))).toThrow(DecodeError);
    }
  });
});
