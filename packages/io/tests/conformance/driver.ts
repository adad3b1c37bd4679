import {
  EVENT_WORDS,
  Event,
  EventKind,
  type Io,
  PLAN_WORDS,
  Plan,
  PlanKind,
  Table,
} from "../../src/index.ts";

/** An event with names. Network and log rows use the same words differently. */
export interface Seen {
  readonly kind: keyof typeof EventKind;
  readonly connection: number;
  readonly generation: number;
  readonly listenerId: number;
  readonly reason: number;
  readonly frameOffset: number;
  readonly frameLength: number;
  readonly api: number;
  readonly correlationId: number;
  readonly sequence: number;
  readonly logId: number;
  readonly code: number;
  readonly tag: number;
  readonly offset: number;
  readonly pin: number;
  readonly length: number;
}

const kindNames = new Map(
  Object.entries(EventKind).map(([name, value]) => [value as number, name as Seen["kind"]]),
);

const DEADLINE_MS = 10_000;

/** Waits for a condition. Fails with what was waited for. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`waited too long for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** Drains an engine into a list, and writes plans row by row. */
export class Driver {
  readonly seen: Seen[] = [];
  drains = 0;
  /** Called for each event as it is drained. */
  onEvent: ((event: Seen) => void) | null = null;
  private readonly events: Table;
  private readonly plan = new Table(PLAN_WORDS, 256);
  private rows = 0;
  private parts: Uint8Array[] = [];
  private partBytes = 0;

  constructor(
    readonly io: Io,
    eventRows = 64,
  ) {
    this.events = new Table(EVENT_WORDS, eventRows);
    io.onEvents(() => this.drain());
  }

  drain(): void {
    let count: number;
    do {
      count = this.io.drain(this.events);
      this.drains += 1;
      for (let row = 0; row < count; row++) {
        const event = this.read(row);
        this.seen.push(event);
        this.onEvent?.(event);
      }
    } while (count === this.events.capacity);
  }

  of(kind: Seen["kind"]): Seen[] {
    return this.seen.filter((event) => event.kind === kind);
  }

  /** Waits for the n-th event of a kind (counted from 1) and gives it. */
  async next(kind: Seen["kind"], nth = 1): Promise<Seen> {
    await until(() => this.of(kind).length >= nth, `${kind} number ${nth}`);
    return this.of(kind)[nth - 1] as Seen;
  }

  respond(frame: Seen, ...parts: readonly (Uint8Array | FilePart)[]): this {
    const row = this.row(PlanKind.RESPOND, frame);
    this.plan.setWord(row, Plan.sequence, frame.sequence);
    return this.segments(row, parts);
  }

  send(connection: Seen, ...parts: readonly (Uint8Array | FilePart)[]): this {
    return this.segments(this.row(PlanKind.SEND, connection), parts);
  }

  skip(frame: Seen): this {
    this.plan.setWord(this.row(PlanKind.SKIP, frame), Plan.sequence, frame.sequence);
    return this;
  }

  close(connection: Seen): this {
    this.row(PlanKind.CLOSE, connection);
    return this;
  }

  mute(connection: Seen, forMs: number): this {
    this.plan.setWord(this.row(PlanKind.MUTE, connection), Plan.amount, forMs);
    return this;
  }

  frameLimit(connection: Seen, bytes: number): this {
    this.plan.setWord(this.row(PlanKind.FRAME_LIMIT, connection), Plan.amount, bytes);
    return this;
  }

  release(frame: Seen): this {
    this.plan.setWord(this.row(PlanKind.RELEASE, null), Plan.handle, frame.frameOffset);
    return this;
  }

  releasePin(pin: number): this {
    this.plan.setWord(this.row(PlanKind.RELEASE_PIN, null), Plan.handle, pin);
    return this;
  }

  submit(): void {
    const { rows } = this;
    const bytes = new Uint8Array(Buffer.concat(this.parts));
    this.rows = 0;
    this.parts = [];
    this.partBytes = 0;
    this.io.network.submit(this.plan, rows, bytes);
    // What was lent for the call may be reused at once.
    bytes.fill(0xee);
  }

  private segments(row: number, parts: readonly (Uint8Array | FilePart)[]): this {
    let total = 0;
    for (const part of parts) {
      if (part instanceof Uint8Array) {
        const segment = this.row(PlanKind.SEGMENT_BYTES, null);
        this.plan.setWord(segment, Plan.byteOffset, this.partBytes);
        this.plan.setWord(segment, Plan.byteLength, part.length);
        this.parts.push(part);
        this.partBytes += part.length;
      } else {
        const segment = this.row(PlanKind.SEGMENT_FILE, null);
        this.plan.setWord(segment, Plan.pin, part.pin);
        this.plan.setWord(segment, Plan.fileLength, part.length);
        this.plan.setDouble(segment, Plan.filePositionF64, part.position);
      }
      total += part.length;
    }
    this.plan.setWord(row, Plan.segmentCount, parts.length);
    this.plan.setWord(row, Plan.totalBytes, total);
    return this;
  }

  private row(kind: number, connection: Seen | null): number {
    const row = this.rows++;
    this.plan.words.fill(0, row * PLAN_WORDS, (row + 1) * PLAN_WORDS);
    this.plan.setWord(row, Plan.kind, kind);
    if (connection !== null) {
      this.plan.setWord(row, Plan.connection, connection.connection);
      this.plan.setWord(row, Plan.generation, connection.generation);
    }
    return row;
  }

  private read(row: number): Seen {
    const word = (field: number): number => this.events.word(row, field);
    const kind = kindNames.get(word(Event.kind));
    if (kind === undefined) throw new Error(`event kind ${word(Event.kind)}`);
    return {
      kind,
      connection: word(Event.connection),
      generation: word(Event.generation),
      listenerId: word(Event.listenerId),
      reason: word(Event.reason),
      frameOffset: word(Event.frameOffset),
      frameLength: word(Event.frameLength),
      api: word(Event.api),
      correlationId: word(Event.correlationId),
      sequence: word(Event.sequence),
      logId: word(Event.logId),
      code: word(Event.code),
      tag: word(Event.tag),
      offset: this.events.double(row, Event.offsetF64),
      pin: word(Event.pin),
      length: word(Event.length),
    };
  }
}

/** A pinned range of a segment file as part of a response. */
export interface FilePart {
  readonly pin: number;
  readonly position: number;
  readonly length: number;
}
