import type { Api } from "./api.ts";
import { encodeRequestHeader, encodeResponseHeader } from "./headers.ts";
import { DecodeError } from "./schema/failure.ts";
import { Writer } from "./schema/writer.ts";

/** A frame is its length as int32, then so many bytes: a header and a body. */
export const FRAME_PREFIX_BYTES = 4;

const INITIAL_BYTES = 1024;

/**
 * A whole request as it goes over the wire, size prefix included. For tools and tests: the
 * engine's network writes prefixes itself.
 */
export function encodeRequestFrame<Req, Res, ReqIn, ResIn>(
  api: Api<Req, Res, ReqIn, ResIn>,
  version: number,
  correlationId: number,
  clientId: string | null,
  request: ReqIn,
): Uint8Array {
  return framed((writer) => {
    encodeRequestHeader(writer, api, version, correlationId, clientId);
    api.request.encode(writer, request, version);
  });
}

/** A whole response as it goes over the wire, size prefix included; without file ranges. */
export function encodeResponseFrame<Req, Res, ReqIn, ResIn>(
  api: Api<Req, Res, ReqIn, ResIn>,
  version: number,
  correlationId: number,
  response: ResIn,
): Uint8Array {
  return framed((writer) => {
    encodeResponseHeader(writer, api, version, correlationId);
    api.response.encode(writer, response, version);
  });
}

function framed(write: (writer: Writer) => void): Uint8Array {
  const writer = new Writer(INITIAL_BYTES);
  writer.int32(0);
  write(writer);
  writer.view.setInt32(0, writer.length - FRAME_PREFIX_BYTES);
  return writer.toBytes();
}

/**
 * Cuts a stream of bytes into frames. Holds at most one frame that is not complete; a length that
 * is negative or above the limit is refused before anything is allocated for it.
 */
export class FrameSplitter {
  /** The frame in the making, prefix first, and how much of it is there. */
  private partial = new Uint8Array(FRAME_PREFIX_BYTES);
  private filled = 0;

  constructor(readonly frameBytesMax: number) {}

  /**
   * Takes the next bytes of the stream and gives the frames that they complete, without their
   * prefixes. Frames are copies. Throws DecodeError; the stream is then of no more use.
   */
  push(chunk: Uint8Array): Uint8Array[] {
    const frames: Uint8Array[] = [];
    let at = 0;
    while (at < chunk.byteLength) {
      const take = Math.min(this.partial.byteLength - this.filled, chunk.byteLength - at);
      this.partial.set(chunk.subarray(at, at + take), this.filled);
      this.filled += take;
      at += take;
      if (this.filled < this.partial.byteLength) break;
      if (this.filled === FRAME_PREFIX_BYTES) this.start();
      if (this.filled < this.partial.byteLength) continue;
      frames.push(this.partial.subarray(FRAME_PREFIX_BYTES));
      this.partial = new Uint8Array(FRAME_PREFIX_BYTES);
      this.filled = 0;
    }
    return frames;
  }

  /** The prefix is complete: makes room for what it announces. */
  private start(): void {
    const length = new DataView(this.partial.buffer).getInt32(0);
    if (length < 0 || length > this.frameBytesMax) {
      throw new DecodeError(`frame of ${length} bytes, at most ${this.frameBytesMax}`, 0);
    }
    const whole = new Uint8Array(FRAME_PREFIX_BYTES + length);
    whole.set(this.partial);
    this.partial = whole;
  }
}
