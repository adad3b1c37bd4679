import type { Socket } from "bun";
import { ClientError, type ClientErrorCode } from "./errors.ts";
import { FrameAssembler } from "./frames.ts";

export interface TransportOptions {
  readonly host: string;
  readonly port: number;
  /** How long connecting may take, in milliseconds; 10,000 when absent. */
  readonly connectTimeoutMs?: number;
  /** The largest answer that is taken, in bytes; 100 MiB when absent. */
  readonly frameBytesMax?: number;
  /** Bytes that may wait to be sent; 64 MiB when absent. */
  readonly outputBytesMax?: number;
  /** Speak TLS: true, or Bun's TLS options. */
  readonly tls?: boolean | Bun.TLSOptions;
}

export interface TransportEvents {
  onFrame(frame: Uint8Array): void;
  /** Called once. */
  onEnd(reason: ClientError): void;
}

/** A socket that carries frames. Writes are queued, up to a bound, while the peer does not read. */
export class Transport {
  private socket: Socket<undefined> | null = null;
  private readonly assembler: FrameAssembler;
  private readonly outputBytesMax: number;
  private readonly where: string;
  private output: Uint8Array[] = [];
  private outputBytes = 0;
  private events: TransportEvents | null = null;
  private early: Uint8Array[] = [];
  private endReason: ClientError | null = null;
  private flushes: PromiseWithResolvers<void>[] = [];

  constructor(options: TransportOptions) {
    this.where = `${options.host}:${options.port}`;
    this.assembler = new FrameAssembler(options.frameBytesMax ?? 100 * 1024 * 1024);
    this.outputBytesMax = options.outputBytesMax ?? 64 * 1024 * 1024;
  }

  opened(socket: Socket<undefined>): void {
    if (this.endReason === null) this.socket = socket;
    else socket.terminate();
  }

  /** Names who is told; what came before is told now. */
  start(events: TransportEvents): void {
    this.events = events;
    for (const chunk of this.early.splice(0)) this.received(chunk);
    if (this.endReason !== null) events.onEnd(this.endReason);
  }

  received(chunk: Uint8Array): void {
    if (this.events === null) {
      this.early.push(chunk);
      return;
    }
    const { onFrame } = this.events;
    try {
      this.assembler.push(chunk, (frame) => {
        if (this.endReason === null) onFrame(frame);
      });
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      this.end(new ClientError(error.code, `${this.where}: ${error.message}`));
    }
  }

  /** Sends a copy of `bytes`. Throws ClientError OVERLOADED where too much waits already. */
  write(bytes: Uint8Array): void {
    if (this.outputBytes + bytes.length > this.outputBytesMax) {
      throw new ClientError(
        "OVERLOADED",
        `${this.where} is not reading: ${this.outputBytes} bytes wait to be sent`,
      );
    }
    let sent = 0;
    if (this.outputBytes === 0) sent = Math.max(0, this.socket?.write(bytes) ?? 0);
    if (sent === bytes.length) return;
    this.output.push(bytes.slice(sent));
    this.outputBytes += bytes.length - sent;
  }

  drained(): void {
    let done = 0;
    for (const chunk of this.output) {
      const sent = Math.max(0, this.socket?.write(chunk) ?? 0);
      this.outputBytes -= sent;
      if (sent < chunk.length) {
        this.output[done] = chunk.subarray(sent);
        break;
      }
      done += 1;
    }
    this.output.splice(0, done);
    if (this.outputBytes === 0) for (const flush of this.flushes.splice(0)) flush.resolve();
  }

  /** Resolves once the kernel has taken all that was written. Rejects where it ended before. */
  flushed(): Promise<void> {
    if (this.endReason !== null) return Promise.reject(this.endReason);
    if (this.outputBytes === 0) return Promise.resolve();
    const flush = Promise.withResolvers<void>();
    this.flushes.push(flush);
    return flush.promise;
  }

  /** Ends the connection for `reason`; a later one is not told. */
  end(reason: ClientError): void {
    if (this.endReason !== null) return;
    this.endReason = reason;
    // What the kernel has taken still goes out, which acks=0 relies on; what it has not is lost.
    const lost = this.outputBytes > 0;
    this.output = [];
    this.outputBytes = 0;
    if (lost) this.socket?.terminate();
    else this.socket?.end();
    for (const flush of this.flushes.splice(0)) flush.reject(reason);
    this.events?.onEnd(reason);
  }

  /** The peer's certificate was looked at and refused. */
  untrusted(error: Error): void {
    const why = (error as { code?: string }).code ?? error.message;
    this.end(new ClientError("UNTRUSTED", `${this.where} has a certificate not trusted: ${why}`));
  }

  /** The peer ended it. */
  ended(error: Error | undefined): void {
    const why = error === undefined ? "closed the connection" : `broke off: ${error.message}`;
    this.end(new ClientError("CLOSED", `${this.where} ${why}`));
  }
}

/** Opens a connection. Throws ClientError REFUSED, UNREACHABLE or TIMED_OUT. */
export async function openTransport(options: TransportOptions): Promise<Transport> {
  const transport = new Transport(options);
  const timeoutMs = options.connectTimeoutMs ?? 10_000;
  const where = `${options.host}:${options.port}`;
  const connecting = Bun.connect<undefined>({
    hostname: options.host,
    port: options.port,
    ...(options.tls === undefined ? {} : { tls: options.tls }),
    socket: {
      binaryType: "uint8array",
      open: (socket) => transport.opened(socket),
      data: (_socket, chunk: Uint8Array) => transport.received(chunk),
      handshake: (_socket, isTrusted, error) => {
        if (!isTrusted && error !== null) transport.untrusted(error);
      },
      drain: () => transport.drained(),
      close: (_socket, error) => transport.ended(error),
      error: (_socket, error) => transport.ended(error),
      end: () => transport.ended(undefined),
    },
  });
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    reject(new ClientError("TIMED_OUT", `${where} did not accept within ${timeoutMs} ms`));
  }, timeoutMs);
  try {
    const socket = await Promise.race([connecting, late]);
    transport.opened(socket);
    return transport;
  } catch (error) {
    const failure = connectError(where, error);
    transport.end(failure);
    // A connection that comes too late is closed by `opened`.
    connecting.catch(() => {});
    throw failure;
  } finally {
    clearTimeout(timer);
  }
}

function connectError(where: string, error: unknown): ClientError {
  if (error instanceof ClientError) return error;
  const { code, message } = error as { code?: string; message?: string };
  const kind: ClientErrorCode = code === "ECONNREFUSED" ? "REFUSED" : "UNREACHABLE";
  const words =
    kind === "REFUSED"
      ? `${where} refused the connection: nothing listens there`
      : `${where} cannot be reached: ${code ?? message ?? "unknown reason"}`;
  return new ClientError(kind, words, { cause: error });
}
