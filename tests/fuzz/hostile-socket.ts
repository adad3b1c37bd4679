import type { Socket } from "bun";
import { metadataApi, Writer, encodeRequestHeader } from "@mantou/protocol";

/** A raw connection that keeps what it is sent, or does not read at all. */
export class HostileSocket {
  readonly closed: Promise<void>;
  receivedBytes = 0;
  private readonly chunks: Uint8Array[] = [];
  private unsent: Uint8Array = new Uint8Array(0);
  private onData: () => void = () => {};
  private onDrain: () => void = () => {};
  private isClosed = false;

  private constructor(
    private readonly socket: Socket<unknown>,
    closing: Promise<void>,
  ) {
    this.closed = closing.then(() => {
      this.isClosed = true;
      this.onData();
      this.onDrain();
    });
  }

  static async connect(port: number): Promise<HostileSocket> {
    const closing = Promise.withResolvers<void>();
    let hostile: HostileSocket | null = null;
    const socket = await Bun.connect({
      hostname: "127.0.0.1",
      port,
      socket: {
        data: (_socket, chunk) => hostile?.received(chunk),
        drain: () => hostile?.flush(),
        close: () => closing.resolve(),
        error: () => closing.resolve(),
      },
    });
    hostile = new HostileSocket(socket, closing.promise);
    return hostile;
  }

  get isOpen(): boolean {
    return !this.isClosed;
  }

  /** Stops reading: the peer's bytes pile up on its side. */
  stopReading(): void {
    this.socket.pause();
  }

  goOnReading(): void {
    this.socket.resume();
  }

  /** Queues bytes; what the kernel does not take now goes when it has room. */
  write(bytes: Uint8Array | string): void {
    const given = typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes;
    const all = new Uint8Array(this.unsent.length + given.length);
    all.set(this.unsent);
    all.set(given, this.unsent.length);
    this.unsent = all;
    this.flush();
  }

  /** Resolves when everything written is with the kernel, or the connection is gone. */
  async written(): Promise<void> {
    while (this.unsent.length > 0 && !this.isClosed) {
      await new Promise<void>((resolve) => {
        this.onDrain = resolve;
      });
    }
  }

  /** Whole frames that have come so far, without their length. */
  async frames(count: number): Promise<Uint8Array[]> {
    for (;;) {
      const frames = split(Buffer.concat(this.chunks));
      if (frames.length >= count || this.isClosed) return frames;
      await new Promise<void>((resolve) => {
        this.onData = resolve;
      });
    }
  }

  /** Ends with a FIN. */
  end(): void {
    this.socket.end();
  }

  /** Ends with a RST where the kernel has unread bytes, and at once in any case. */
  reset(): void {
    this.socket.terminate();
  }

  private received(chunk: Uint8Array): void {
    this.receivedBytes += chunk.length;
    this.chunks.push(chunk.slice());
    this.onData();
  }

  private flush(): void {
    while (this.unsent.length > 0) {
      const sent = this.socket.write(this.unsent);
      if (sent <= 0) return;
      this.unsent = this.unsent.subarray(sent);
    }
    this.onDrain();
  }
}

function split(bytes: Uint8Array): Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const frames: Uint8Array[] = [];
  let at = 0;
  while (at + 4 <= bytes.length && at + 4 + view.getInt32(at) <= bytes.length) {
    const length = view.getInt32(at);
    frames.push(bytes.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return frames;
}

/** Four bytes that announce a frame. */
export function prefix(length: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, length);
  return bytes;
}

/** A frame that asks for all topics, with its length. */
export function metadataFrame(correlationId: number): Uint8Array {
  const writer = new Writer(64);
  writer.int32(0);
  encodeRequestHeader(writer, metadataApi, 1, correlationId, "hostile");
  metadataApi.request.encode(writer, { topics: null }, 1);
  writer.view.setInt32(0, writer.length - 4);
  return writer.bytes.slice(0, writer.length);
}
