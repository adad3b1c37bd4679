import {
  apiByKey,
  type AnyApi,
  apiVersionsApi,
  decodeRequestHeader,
  encodeResponseHeader,
  Reader,
  Writer,
} from "@mantou/protocol";
import type { Socket } from "bun";
import { FrameAssembler } from "../src/frames.ts";

/** In place of a response: none, or the end of the connection. */
export const SILENT = Symbol("silent");
export const CLOSE = Symbol("close");

export interface Call {
  readonly version: number;
  /** The request's frame, for spans. */
  readonly bytes: Uint8Array;
  readonly correlationId: number;
}

// oxlint-disable-next-line typescript/no-explicit-any -- each API has its own types
export type Handler = (request: any, call: Call) => unknown;

interface Peer {
  readonly assembler: FrameAssembler;
  /** Answers leave in the order of their requests. */
  last: Promise<void>;
  pending: Uint8Array;
}

/** Answers frames on a port of its own with what a test's handlers say. */
export class FakeBroker {
  readonly port: number;
  /** Connections are ended as soon as they are made, as by a broker that is away. */
  isAway = false;
  /** Names of the APIs that were called, in order. */
  readonly calls: string[] = [];
  private readonly handlers = new Map<number, Handler>();
  private readonly sockets = new Set<Socket<Peer>>();
  private readonly listener: Bun.TCPSocketListener<Peer>;

  /** @param maxVersions what ApiVersions tells, beside 0 to our maximum for each handler. */
  constructor(maxVersions: Readonly<Record<string, number>> = {}) {
    this.handle(apiVersionsApi, () => ({
      errorCode: 0,
      apiKeys: [...this.handlers.keys()].map((apiKey) => {
        const { name, minVersion, maxVersion } = apiByKey(apiKey) as AnyApi;
        return { apiKey, minVersion, maxVersion: maxVersions[name] ?? maxVersion };
      }),
    }));
    this.listener = Bun.listen<Peer>({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        binaryType: "uint8array",
        open: (socket) => {
          if (this.isAway) {
            socket.terminate();
            return;
          }
          const assembler = new FrameAssembler(1 << 28);
          socket.data = { assembler, last: Promise.resolve(), pending: new Uint8Array(0) };
          this.sockets.add(socket);
        },
        data: (socket, chunk: Uint8Array) => {
          socket.data.assembler.push(chunk, (frame) => this.take(socket, frame.slice()));
        },
        drain: (socket) => this.write(socket, new Uint8Array(0)),
        close: (socket) => {
          this.sockets.delete(socket);
        },
      },
    });
    this.port = this.listener.port;
  }

  get connections(): number {
    return this.sockets.size;
  }

  handle(api: AnyApi, handler: Handler): this {
    this.handlers.set(api.key, handler);
    return this;
  }

  /** Ends all connections, and goes on listening. */
  drop(): void {
    for (const socket of this.sockets) socket.terminate();
  }

  stop(): void {
    this.drop();
    this.listener.stop(true);
  }

  private take(socket: Socket<Peer>, bytes: Uint8Array): void {
    const reader = new Reader(bytes);
    const api = apiByKey(reader.int16()) as AnyApi;
    const version = reader.int16();
    const correlationId = reader.int32();
    decodeRequestHeader(reader, version >= api.flexibleFrom);
    const request = api.request.decode(reader, version);
    this.calls.push(api.name);
    const call = { version, bytes, correlationId };
    const answer = Promise.resolve(this.handlers.get(api.key)?.(request, call) ?? SILENT);
    socket.data.last = socket.data.last.then(async () => {
      const response = await answer;
      if (response === SILENT) return;
      if (response === CLOSE) {
        socket.terminate();
      } else if (response instanceof Uint8Array) {
        this.write(socket, response);
      } else {
        this.write(socket, frameOf(api, version, correlationId, response));
      }
    });
  }

  private write(socket: Socket<Peer>, bytes: Uint8Array): void {
    const all = Buffer.concat([socket.data.pending, bytes]);
    const sent = Math.max(0, socket.write(all));
    socket.data.pending = all.subarray(sent);
  }
}

/** A response frame with its length prefix. */
export function frameOf(
  api: AnyApi,
  version: number,
  correlationId: number,
  response: unknown,
): Uint8Array {
  const writer = new Writer(1024);
  writer.int32(0);
  encodeResponseHeader(writer, api, version, correlationId);
  api.response.encode(writer, response, version);
  writer.view.setInt32(0, writer.length - 4);
  return writer.toBytes();
}

/** A listener that sends the same bytes to whoever connects, then maybe closes. */
export function sayOnConnect(
  bytes: Uint8Array,
  end: boolean,
): { readonly port: number; stop(): void } {
  const listener = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open: (socket) => {
        socket.write(bytes);
        if (end) socket.end();
      },
      data: () => {},
    },
  });
  return { port: listener.port, stop: () => listener.stop(true) };
}
