import { type Socket, connect } from "node:net";
import { FrameSplitter } from "@mantou/protocol";
import { until } from "./driver.ts";

const FRAME_BYTES_MAX = 64 * 1024 * 1024;

/** The peer of an engine in a test: a plain socket that cuts what it reads into frames. */
export class Client {
  readonly frames: Uint8Array[] = [];
  closed = false;
  private readonly splitter = new FrameSplitter(FRAME_BYTES_MAX);

  private constructor(readonly socket: Socket) {
    socket.on("data", (chunk: Buffer) => this.frames.push(...this.splitter.push(chunk)));
    socket.on("close", () => {
      this.closed = true;
    });
    socket.on("error", () => {});
  }

  static async to(port: number): Promise<Client> {
    const socket = connect({ host: "127.0.0.1", port, noDelay: true });
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
    return new Client(socket);
  }

  write(...chunks: readonly Uint8Array[]): void {
    this.socket.write(Buffer.concat(chunks));
  }

  async frame(nth: number): Promise<Uint8Array> {
    await until(() => this.frames.length >= nth, `response ${nth}`);
    return this.frames[nth - 1] as Uint8Array;
  }

  async end(): Promise<void> {
    this.socket.destroy();
    await until(() => this.closed, "the client's end");
  }
}

/** A request frame with its size prefix: api key, version, correlation id, body. */
export function request(
  correlationId: number,
  body: Uint8Array = new Uint8Array(0),
  api = 18,
  version = 3,
): Uint8Array {
  const frame = new Uint8Array(12 + body.length);
  const view = new DataView(frame.buffer);
  view.setInt32(0, 8 + body.length);
  view.setInt16(4, api);
  view.setInt16(6, version);
  view.setInt32(8, correlationId);
  frame.set(body, 12);
  return frame;
}

export const text = (value: string): Uint8Array => new TextEncoder().encode(value);
export const textOf = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes);
