import type { PortableArena, RunOwner } from "./arena.ts";
import type { PortableSocket } from "./sockets.ts";

/** Why a connection is not read at the moment. Bits. */
export const Pause = { QUOTA: 1, OUTPUT: 2, ARENA: 4, MUTE: 8, CLOSING: 16 } as const;

const PREFIX_BYTES = 4;

/** What a connection tells its network. */
export interface ConnectionHost {
  readonly arena: PortableArena;
  readonly connectionQuotaBytes: number;
  readonly outputQuotaBytes: number;
  frameArrived(connection: Connection, offset: number, length: number): void;
  /** The peer broke the framing: close with this reason. */
  frameRefused(connection: Connection, reason: "FRAME_TOO_LARGE" | "FRAME_INVALID"): void;
  /** The arena is full: call `roomMade` when it no longer is. */
  waitForRoom(connection: Connection): void;
}

/** One socket: cuts frames out of its bytes, and puts responses into their order. */
export class Connection implements RunOwner {
  socket: PortableSocket<Connection> | null = null;
  closed = false;
  closeReason: number | null = null;
  /** Inbound: the sequence that the next frame gets, and the one whose response goes next. */
  nextFrame = 0;
  private nextResponse = 0;
  lastActiveMs = 0;
  unmute: (() => void) | null = null;

  private heldBytes = 0;
  private pauses = 0;
  private readonly early = new Map<number, Uint8Array | null>();
  private earlyBytes = 0;
  private output: Uint8Array[] = [];
  private outputBytes = 0;

  private readonly prefix = new Uint8Array(PREFIX_BYTES);
  private prefixFilled = 0;
  private frameOffset = -1;
  private frameLength = 0;
  private frameFilled = 0;
  private backlog: Uint8Array[] = [];
  private isConsuming = false;

  constructor(
    private readonly host: ConnectionHost,
    readonly slot: number,
    readonly generation: number,
    readonly isInbound: boolean,
    /** Inbound: the listener's id. Outbound: the caller's connect id. */
    readonly originId: number,
    public frameBytesMax: number,
  ) {}

  /** Bytes that only wait for the socket. */
  get queuedOutputBytes(): number {
    return this.outputBytes;
  }

  get queuedBytes(): number {
    return this.outputBytes + this.earlyBytes;
  }

  /** Bytes from the socket. Kept aside while the connection is paused. */
  received(chunk: Uint8Array): void {
    this.backlog.push(chunk);
    this.consume();
  }

  pause(reason: number): void {
    const before = this.pauses;
    this.pauses |= reason;
    if (before === 0 && !this.closed) this.socket?.pause();
  }

  unpause(reason: number): void {
    if ((this.pauses & reason) === 0) return;
    this.pauses &= ~reason;
    if (this.pauses !== 0 || this.closed) return;
    this.consume();
    if (this.pauses === 0 && !this.closed) this.socket?.resume();
  }

  runFreed(bytes: number): void {
    this.heldBytes -= bytes;
    if (this.heldBytes < this.host.connectionQuotaBytes) this.unpause(Pause.QUOTA);
  }

  roomMade(): void {
    this.unpause(Pause.ARENA);
  }

  /** Takes the response of a frame, null for none. Queues what has come to its turn. */
  respond(sequence: number, response: Uint8Array | null): boolean {
    const ahead = (sequence - this.nextResponse) >>> 0;
    const outstanding = (this.nextFrame - this.nextResponse) >>> 0;
    if (ahead >= outstanding || this.early.has(sequence)) return false;
    this.early.set(sequence, response);
    this.earlyBytes += response?.length ?? 0;
    for (;;) {
      const next = this.early.get(this.nextResponse);
      if (next === undefined) break;
      this.early.delete(this.nextResponse);
      this.nextResponse = (this.nextResponse + 1) >>> 0;
      if (next === null) continue;
      this.earlyBytes -= next.length;
      this.enqueue(next);
    }
    if (this.queuedBytes >= this.host.outputQuotaBytes) this.pause(Pause.OUTPUT);
    return true;
  }

  enqueue(bytes: Uint8Array): void {
    this.output.push(bytes);
    this.outputBytes += bytes.length;
  }

  /** Writes what the socket takes; returns the bytes that went, or -1 when it is closed. */
  flush(): number {
    if (this.socket === null || this.closed) return -1;
    let sent = 0;
    while (this.output.length > 0) {
      const bytes = this.output.length === 1 ? (this.output[0] as Uint8Array) : this.coalesce();
      const taken = this.socket.write(bytes);
      if (taken < 0) return -1;
      sent += taken;
      this.outputBytes -= taken;
      this.output = taken < bytes.length ? [bytes.subarray(taken)] : [];
      if (taken < bytes.length) break;
    }
    if (this.queuedBytes < this.host.outputQuotaBytes) this.unpause(Pause.OUTPUT);
    return sent;
  }

  /** Gives back the run of a frame that never became whole, and forgets what was queued. */
  abandon(): void {
    this.closed = true;
    this.unmute?.();
    this.unmute = null;
    if (this.frameOffset >= 0) this.host.arena.release(this.frameOffset);
    this.frameOffset = -1;
    this.backlog = [];
    this.output = [];
    this.early.clear();
    this.outputBytes = 0;
    this.earlyBytes = 0;
  }

  private coalesce(): Uint8Array {
    const all = new Uint8Array(this.outputBytes);
    let at = 0;
    for (const bytes of this.output) {
      all.set(bytes, at);
      at += bytes.length;
    }
    return all;
  }

  private consume(): void {
    if (this.isConsuming) return;
    this.isConsuming = true;
    while (this.backlog.length > 0 && this.pauses === 0 && !this.closed) {
      const chunk = this.backlog[0] as Uint8Array;
      const used = this.consumeChunk(chunk);
      if (used === chunk.length) this.backlog.shift();
      else this.backlog[0] = chunk.subarray(used);
    }
    this.isConsuming = false;
  }

  /** Returns how many bytes were used: fewer than given once paused or closed. */
  private consumeChunk(chunk: Uint8Array): number {
    let at = 0;
    while (this.pauses === 0 && !this.closed) {
      if (this.frameOffset < 0 && this.prefixFilled < PREFIX_BYTES) {
        if (at === chunk.length) break;
        this.prefix[this.prefixFilled++] = chunk[at++] as number;
        if (this.prefixFilled < PREFIX_BYTES) continue;
      }
      if (this.frameOffset < 0 && !this.beginFrame()) break;
      const count = Math.min(chunk.length - at, this.frameLength - this.frameFilled);
      this.host.arena.bytes.set(
        chunk.subarray(at, at + count),
        this.frameOffset + this.frameFilled,
      );
      this.frameFilled += count;
      at += count;
      if (this.frameFilled < this.frameLength) break;
      this.endFrame();
    }
    return at;
  }

  private beginFrame(): boolean {
    const { arena } = this.host;
    const length = new DataView(this.prefix.buffer).getInt32(0);
    const lengthMin = this.isInbound ? 8 : 4;
    if (length < lengthMin) {
      this.host.frameRefused(this, "FRAME_INVALID");
      return false;
    }
    if (length > this.frameBytesMax || length > arena.totalBytes) {
      this.host.frameRefused(this, "FRAME_TOO_LARGE");
      return false;
    }
    const offset = arena.allocateFor(length, this);
    if (offset < 0) {
      this.pause(Pause.ARENA);
      this.host.waitForRoom(this);
      return false;
    }
    this.heldBytes += length;
    this.frameOffset = offset;
    this.frameLength = length;
    this.frameFilled = 0;
    this.prefixFilled = 0;
    return true;
  }

  private endFrame(): void {
    const offset = this.frameOffset;
    this.frameOffset = -1;
    if (this.heldBytes >= this.host.connectionQuotaBytes) this.pause(Pause.QUOTA);
    this.host.frameArrived(this, offset, this.frameLength);
  }
}
