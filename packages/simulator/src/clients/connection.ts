import type { Api } from "@mantou/protocol";
import {
  FrameSplitter,
  Reader,
  crc32c,
  decodeResponseHeader,
  encodeRequestFrame,
} from "@mantou/protocol";
import type { PortableSocket, SocketEvents, Sockets } from "@mantou/io";
import { BROKER_PORT } from "../machine.ts";
import type { Process } from "../time.ts";
import type { Trace } from "../trace.ts";

const FRAME_BYTES_MAX = 64 * 1024 * 1024;
const DECODE_BUDGET_BYTES = 64 * 1024 * 1024;

/** The request may have been carried out, or not: nobody will ever say. */
export class NoAnswer extends Error {
  override readonly name = "NoAnswer";
}

/** An answer with its frame: spans in the response are offsets in `bytes`. */
export interface Answer<Response> {
  readonly response: Response;
  readonly bytes: Uint8Array;
}

interface Waiting {
  readonly correlationId: number;
  readonly what: string;
  take(frame: Uint8Array): void;
  fail(reason: string): void;
}

export interface Surroundings {
  readonly process: Process;
  readonly sockets: Sockets;
  readonly trace: Trace;
  /** The broker has broken the protocol. */
  readonly onDefect: (text: string) => void;
  /** While all is well, an answer that does not come is a defect. */
  readonly mustAnswer: () => boolean;
}

/** A client's connection: frames out, frames in, and the order of answers held to the promise. */
export class ClientConnection {
  isOpen = true;
  private readonly waiting: Waiting[] = [];
  private readonly unsent: Uint8Array[] = [];
  private readonly splitter = new FrameSplitter(FRAME_BYTES_MAX);
  private nextCorrelationId = 1;
  /** Opened while all is well: an older connection may have died without a word. */
  private readonly isTrusted: boolean;

  private constructor(
    private readonly around: Surroundings,
    private readonly socket: PortableSocket<ClientConnection>,
    readonly name: string,
  ) {
    this.isTrusted = around.mustAnswer();
  }

  /** Connects; throws NoAnswer where nobody listens. */
  static async open(around: Surroundings): Promise<ClientConnection> {
    let connection: ClientConnection | null = null;
    const events: SocketEvents<ClientConnection> = {
      open: () => {},
      data: (_, chunk) => connection?.arrived(chunk),
      drain: () => connection?.flush(),
      close: () => connection?.ended("the connection was closed"),
      error: () => connection?.ended("the connection broke"),
    };
    const address = { hostname: "127.0.0.1", port: BROKER_PORT, socket: events };
    let socket: PortableSocket<ClientConnection>;
    try {
      socket = (await around.sockets.connect(address)) as PortableSocket<ClientConnection>;
    } catch {
      throw new NoAnswer("refused");
    }
    connection = new ClientConnection(around, socket, around.process.name);
    return connection;
  }

  get inFlight(): number {
    return this.waiting.length;
  }

  /** Asks, and waits for the answer. Throws NoAnswer. */
  async ask<Req, Res, ReqIn, ResIn>(
    api: Api<Req, Res, ReqIn, ResIn>,
    version: number,
    request: NoInfer<ReqIn>,
    timeoutMs = 10_000,
  ): Promise<Res> {
    return (await this.exchange(api, version, request, timeoutMs)).response;
  }

  /** As `ask`, with the frame. */
  exchange<Req, Res, ReqIn, ResIn>(
    api: Api<Req, Res, ReqIn, ResIn>,
    version: number,
    request: NoInfer<ReqIn>,
    timeoutMs = 10_000,
  ): Promise<Answer<Res>> {
    const what = `${api.name} v${version}`;
    return new Promise((resolve, reject) => {
      if (!this.isOpen) {
        reject(new NoAnswer("the connection is closed"));
        return;
      }
      const correlationId = this.send(api, version, request);
      const cancel = this.around.process.after(timeoutMs, () => {
        if (this.isTrusted) {
          this.around.onDefect(`${this.name}: ${what} had no answer for ${timeoutMs} ms`);
        }
        this.close();
      });
      this.waiting.push({
        correlationId,
        what,
        take: (frame) => {
          cancel();
          const response = this.decode(api, version, correlationId, frame);
          if (response === null) reject(new NoAnswer(`${what}: no answer that can be read`));
          else resolve({ response, bytes: frame });
        },
        fail: (reason) => {
          cancel();
          reject(new NoAnswer(`${what}: ${reason}`));
        },
      });
    });
  }

  /** Sends what has no answer (acks=0). */
  send<Req, Res, ReqIn, ResIn>(
    api: Api<Req, Res, ReqIn, ResIn>,
    version: number,
    request: NoInfer<ReqIn>,
  ): number {
    const correlationId = this.nextCorrelationId++;
    const frame = encodeRequestFrame(api, version, correlationId, this.name, request);
    const sum = crc32c(frame).toString(16);
    this.around.trace.add(this.name, `> ${api.name} v${version} #${correlationId} ${sum}`);
    if (!this.isOpen) return correlationId;
    this.unsent.push(frame);
    this.flush();
    return correlationId;
  }

  /** Goes away; whoever waits for an answer gets none. */
  close(): void {
    if (!this.isOpen) return;
    this.socket.terminate();
    this.ended("closed by the client");
  }

  private flush(): void {
    while (this.unsent.length > 0 && this.isOpen) {
      const bytes = this.unsent[0] as Uint8Array;
      const taken = this.socket.write(bytes);
      if (taken < 0) return;
      if (taken === bytes.length) this.unsent.shift();
      else this.unsent[0] = bytes.subarray(taken);
      if (taken < bytes.length) return;
    }
  }

  private arrived(chunk: Uint8Array): void {
    for (const frame of this.splitter.push(chunk)) {
      const first = this.waiting.shift();
      const id = new DataView(frame.buffer, frame.byteOffset).getInt32(0);
      if (first === undefined || first.correlationId !== id) {
        const expected = first === undefined ? "none" : `${first.what} #${first.correlationId}`;
        this.around.onDefect(`${this.name}: answer #${id} where ${expected} was due`);
        this.close();
        return;
      }
      first.take(frame);
    }
  }

  private decode<Req, Res, ReqIn, ResIn>(
    api: Api<Req, Res, ReqIn, ResIn>,
    version: number,
    correlationId: number,
    frame: Uint8Array,
  ): Res | null {
    const sum = crc32c(frame).toString(16);
    this.around.trace.add(this.name, `< ${api.name} v${version} #${correlationId} ${sum}`);
    try {
      const reader = new Reader(frame).reset(0, frame.length, DECODE_BUDGET_BYTES);
      decodeResponseHeader(reader, api, version);
      const response = api.response.decode(reader, version);
      if (reader.remaining === 0) return response;
      this.around.onDefect(`${api.name} v${version}: ${reader.remaining} bytes behind the answer`);
    } catch (error) {
      this.around.onDefect(`${api.name} v${version}: the answer does not parse: ${String(error)}`);
    }
    return null;
  }

  private ended(reason: string): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    for (const waiting of this.waiting.splice(0)) waiting.fail(reason);
  }
}
