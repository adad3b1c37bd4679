import { ClientError } from "./errors.ts";

const PREFIX_BYTES = 4;
/** A frame's length is a claim: memory follows what has come, not what was announced. */
const FIRST_BYTES = 64 * 1024;

/** Cuts a stream of chunks into frames without their length prefix. */
export class FrameAssembler {
  private readonly prefix = new Uint8Array(PREFIX_BYTES);
  private prefixFilled = 0;
  private frame: Uint8Array = new Uint8Array(0);
  private frameFilled = 0;
  private frameLength = 0;

  /** @param frameBytesMax the largest frame that is taken, in bytes. */
  constructor(private readonly frameBytesMax: number) {}

  /**
   * Takes the next chunk and gives each frame that it completes. A frame may share memory with the
   * chunk. Throws ClientError NOT_KAFKA or MALFORMED where a length makes no sense.
   */
  push(chunk: Uint8Array, onFrame: (frame: Uint8Array) => void): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.prefixFilled < PREFIX_BYTES) {
        const count = Math.min(PREFIX_BYTES - this.prefixFilled, chunk.length - at);
        this.prefix.set(chunk.subarray(at, at + count), this.prefixFilled);
        this.prefixFilled += count;
        at += count;
        if (this.prefixFilled < PREFIX_BYTES) return;
        this.frameLength = this.checkedLength();
        this.frameFilled = 0;
      }
      const needed = this.frameLength - this.frameFilled;
      const count = Math.min(needed, chunk.length - at);
      const part = chunk.subarray(at, at + count);
      at += count;
      if (this.frameFilled === 0 && count === needed) {
        this.prefixFilled = 0;
        onFrame(part);
        continue;
      }
      this.store(part);
      if (this.frameFilled === this.frameLength) {
        const frame = this.frame.subarray(0, this.frameLength);
        this.frame = new Uint8Array(0);
        this.prefixFilled = 0;
        onFrame(frame);
      }
    }
  }

  private store(part: Uint8Array): void {
    const end = this.frameFilled + part.length;
    if (end > this.frame.length) {
      const size = Math.max(end, this.frame.length * 2, FIRST_BYTES);
      const larger = new Uint8Array(Math.min(this.frameLength, size));
      larger.set(this.frame.subarray(0, this.frameFilled));
      this.frame = larger;
    }
    this.frame.set(part, this.frameFilled);
    this.frameFilled = end;
  }

  private checkedLength(): number {
    const [a, b, c, d] = this.prefix as unknown as [number, number, number, number];
    const length = (a << 24) | (b << 16) | (c << 8) | d;
    if (length >= 0 && length <= this.frameBytesMax) return length;
    const text = new TextDecoder("latin1").decode(this.prefix);
    if (text === "HTTP") {
      throw new ClientError("NOT_KAFKA", "the other end speaks HTTP, not the Kafka protocol");
    }
    if (a === 0x15 && b === 3) {
      throw new ClientError("NOT_KAFKA", "the other end wants TLS, and this connection has none");
    }
    if (/^[\x20-\x7e\r\n]{4}$/.test(text)) {
      const start = JSON.stringify(text);
      throw new ClientError("NOT_KAFKA", `the other end does not speak Kafka: it sends ${start}…`);
    }
    throw new ClientError(
      "MALFORMED",
      `a frame claims ${length} bytes; at most ${this.frameBytesMax} are taken`,
    );
  }
}
