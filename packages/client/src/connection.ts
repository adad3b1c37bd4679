import {
  type Api,
  type AnyApi,
  apiVersionsApi,
  type ApiVersionsResponse,
  DecodeError,
  decodeResponseHeader,
  encodeRequestHeader,
  ErrorCode,
  Reader,
  Writer,
} from "@mantou/protocol";
import { ClientError, throwIfError } from "./errors.ts";
import { AnswerQueue } from "./answer-queue.ts";
import { openTransport, type Transport, type TransportOptions } from "./transport.ts";
import { VersionTable } from "./versions.ts";

export interface ConnectionOptions extends TransportOptions {
  /** Sent with every request; "mantou-client" when absent. */
  readonly clientId?: string | null;
  /** How long an answer may take, in milliseconds; 30,000 when absent. */
  readonly requestTimeoutMs?: number;
  /** Requests that may wait for their answers; 1,000 when absent. */
  readonly inFlightMax?: number;
  /** Ask for versions at once; true when absent. Without it, `request` cannot be used. */
  readonly negotiate?: boolean;
}

export interface SendOptions {
  /** How long this answer may take, in milliseconds. */
  readonly timeoutMs?: number;
}

/** An answer together with its frame, for responses that hold spans of it. */
export interface Exchange<Response> {
  readonly response: Response;
  /** The frame's bytes: spans in `response` are offsets in them. */
  readonly bytes: Uint8Array;
}

const FRAME_PREFIX_BYTES = 4;
const SOFTWARE_NAME = "mantou-client";
const SOFTWARE_VERSION = "0.1.0";

/** One connection to a broker: requests go out at once and are answered in their order. */
export class Connection {
  readonly host: string;
  readonly port: number;
  /** Resolves, once, with the reason for which the connection ended. */
  readonly closed: Promise<ClientError>;
  private readonly transport: Transport;
  private readonly waiting = new AnswerQueue();
  private readonly writer = new Writer(4096);
  private readonly clientId: string | null;
  private readonly requestTimeoutMs: number;
  private readonly inFlightMax: number;
  private table: VersionTable | null = null;
  private correlationId = 0;
  private ended: ClientError | null = null;

  private constructor(transport: Transport, options: ConnectionOptions) {
    this.transport = transport;
    this.host = options.host;
    this.port = options.port;
    this.clientId = options.clientId === undefined ? SOFTWARE_NAME : options.clientId;
    this.requestTimeoutMs = options.requestTimeoutMs ?? 30_000;
    this.inFlightMax = options.inFlightMax ?? 1000;
    this.closed = new Promise((resolve) => {
      transport.start({
        onFrame: (frame) => this.onFrame(frame),
        onEnd: (reason) => {
          this.onEnd(reason);
          resolve(reason);
        },
      });
    });
  }

  /** Connects and, unless told otherwise, asks for versions. Throws ClientError. */
  static async open(options: ConnectionOptions): Promise<Connection> {
    const connection = new Connection(await openTransport(options), options);
    if (options.negotiate === false) return connection;
    try {
      await connection.negotiate();
    } catch (error) {
      connection.close();
      if (error instanceof ClientError && error.code === "CLOSED") {
        const where = `${options.host}:${options.port}`;
        const hint = "is it a Kafka listener, and one without TLS?";
        throw new ClientError(
          "CLOSED",
          `${where} closed the connection during the handshake: ${hint}`,
        );
      }
      throw error;
    }
    return connection;
  }

  /** Requests that wait for their answers. */
  get inFlight(): number {
    return this.waiting.length;
  }

  get isOpen(): boolean {
    return this.ended === null;
  }

  /** The broker's versions. Throws where they were not asked for. */
  get versions(): VersionTable {
    if (this.table === null) throw new ClientError("USAGE", "versions were not negotiated");
    return this.table;
  }

  /** Sends at the highest version that both sides have. */
  request<Req, Res, ReqIn, ResIn>(
    api: Api<Req, Res, ReqIn, ResIn>,
    request: NoInfer<ReqIn>,
    options: SendOptions = {},
  ): Promise<Res> {
    return this.send(api, this.versions.pick(api), request, options);
  }

  /** Sends at a version of the caller's choice. */
  async send<Req, Res, ReqIn, ResIn>(
    api: Api<Req, Res, ReqIn, ResIn>,
    version: number,
    request: NoInfer<ReqIn>,
    options: SendOptions = {},
  ): Promise<Res> {
    return (await this.exchange(api, version, request, options)).response;
  }

  /** As `send`, and gives the answer's frame as well. */
  async exchange<Req, Res, ReqIn, ResIn>(
    api: Api<Req, Res, ReqIn, ResIn>,
    version: number,
    request: NoInfer<ReqIn>,
    options: SendOptions = {},
  ): Promise<Exchange<Res>> {
    const what = `${api.name} v${version}`;
    const correlationId = this.write(api, version, request, what);
    const frame = await this.wait(what, options.timeoutMs);
    return this.decode(api, version, correlationId, frame);
  }

  /** Sends what is not answered: Produce with acks=0. */
  sendOneWay<Req, Res, ReqIn, ResIn>(
    api: Api<Req, Res, ReqIn, ResIn>,
    version: number,
    request: NoInfer<ReqIn>,
  ): void {
    this.write(api, version, request, `${api.name} v${version}`);
  }

  /** Resolves once the system has taken all that was sent; rejects where it never will. */
  flushed(): Promise<void> {
    return this.transport.flushed();
  }

  /**
   * Sends any bytes as one frame and gives the frame that answers them, header included.
   * For tests: nothing is checked.
   */
  sendFrame(bytes: Uint8Array, options: SendOptions = {}): Promise<Uint8Array> {
    const frame = new Uint8Array(FRAME_PREFIX_BYTES + bytes.length);
    new DataView(frame.buffer).setInt32(0, bytes.length);
    frame.set(bytes, FRAME_PREFIX_BYTES);
    this.sendBytes(frame);
    return this.nextFrame(options);
  }

  /** Sends any bytes as they are, such as a part of a frame. For tests. */
  sendBytes(bytes: Uint8Array): void {
    if (this.ended !== null) throw this.ended;
    this.transport.write(bytes);
  }

  /** The next frame, for a request that went out by `sendBytes`. */
  nextFrame(options: SendOptions = {}): Promise<Uint8Array> {
    return this.wait("a raw frame", options.timeoutMs);
  }

  /** Ends the connection; what waits is told CLOSED. */
  close(): void {
    this.transport.end(
      new ClientError("CLOSED", `the connection to ${this.where} was closed here`),
    );
  }

  private get where(): string {
    return `${this.host}:${this.port}`;
  }

  private write(api: AnyApi, version: number, request: unknown, what: string): number {
    if (this.ended !== null) throw this.ended;
    if (this.waiting.length >= this.inFlightMax) {
      throw new ClientError("OVERLOADED", `${what}: ${this.inFlightMax} requests are under way`);
    }
    const correlationId = this.correlationId;
    const writer = this.writer.reset();
    writer.int32(0);
    encodeRequestHeader(writer, api, version, correlationId, this.clientId);
    api.request.encode(writer, request, version);
    writer.view.setInt32(0, writer.length - FRAME_PREFIX_BYTES);
    this.correlationId = (correlationId + 1) & 0x7fffffff;
    this.transport.write(writer.bytes.subarray(0, writer.length));
    return correlationId;
  }

  private decode<Req, Res, ReqIn, ResIn>(
    api: Api<Req, Res, ReqIn, ResIn>,
    version: number,
    correlationId: number,
    bytes: Uint8Array,
  ): Exchange<Res> {
    const what = `${api.name} v${version}`;
    try {
      const reader = new Reader(bytes);
      const header = decodeResponseHeader(reader, api, version);
      if (header.correlationId !== correlationId) {
        throw this.malformed(`${what}: answer ${header.correlationId} to request ${correlationId}`);
      }
      const response = api.response.decode(reader, version);
      if (reader.remaining > 0) {
        throw this.malformed(`${what}: ${reader.remaining} bytes follow the answer`);
      }
      return { response, bytes };
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      throw this.malformed(`${what}: the answer does not parse: ${error.message}`);
    }
  }

  /** A stream that is out of step cannot be trusted with the answers that follow. */
  private malformed(message: string): ClientError {
    const error = new ClientError("MALFORMED", message);
    this.transport.end(error);
    return error;
  }

  private wait(what: string, timeoutMs = this.requestTimeoutMs): Promise<Uint8Array> {
    if (this.ended !== null) return Promise.reject(this.ended);
    return this.waiting.wait(what, timeoutMs, this.where);
  }

  private onFrame(frame: Uint8Array): void {
    if (this.waiting.settle(frame)) return;
    this.malformed(`${this.where} sent a frame that nobody asked for`);
  }

  private onEnd(reason: ClientError): void {
    this.ended = reason;
    this.waiting.fail(reason);
  }

  private async negotiate(): Promise<void> {
    let version = apiVersionsApi.maxVersion;
    for (;;) {
      const answer = await this.askVersions(version);
      if (answer.errorCode !== ErrorCode.UNSUPPORTED_VERSION || version === 0) {
        throwIfError(answer.errorCode, `ApiVersions v${version}`);
        this.table = new VersionTable(answer);
        return;
      }
      // The refusal is in the format of version 0 and names the versions that would do.
      const range = answer.apiKeys.find((entry) => entry.apiKey === apiVersionsApi.key);
      version = Math.max(0, Math.min(range?.maxVersion ?? 0, version - 1));
    }
  }

  private async askVersions(version: number): Promise<ApiVersionsResponse> {
    const request = { clientSoftwareName: SOFTWARE_NAME, clientSoftwareVersion: SOFTWARE_VERSION };
    const what = `ApiVersions v${version}`;
    const correlationId = this.write(apiVersionsApi, version, request, what);
    const frame = await this.wait(what);
    const refused =
      frame.length >= 6 && frame[4] === 0 && frame[5] === ErrorCode.UNSUPPORTED_VERSION;
    return this.decode(apiVersionsApi, refused ? 0 : version, correlationId, frame).response;
  }
}
