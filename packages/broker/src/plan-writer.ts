import { assert } from "@mantou/base";
import type { Network } from "@mantou/io";
import { PLAN_WORDS, Plan, PlanKind, Table } from "@mantou/io";
import type { Writer } from "@mantou/protocol";
import { PLAN_BYTES_MAX, PLAN_ROWS_MAX } from "./limits.ts";

const BYTES_INITIAL = 256 * 1024;

/**
 * Collects what the network shall do at the end of this tick: plan rows and the bytes they name.
 * Handed over in one call, so that all answers of a tick leave in one send per connection.
 */
export class PlanWriter {
  private readonly table = new Table(PLAN_WORDS, PLAN_ROWS_MAX);
  private rows = 0;
  private bytes = new Uint8Array(BYTES_INITIAL);
  private used = 0;

  constructor(private readonly network: Network) {}

  /** Answers a frame with everything the writer holds, file ranges included. */
  respond(connection: number, generation: number, sequence: number, writer: Writer): void {
    this.message(PlanKind.RESPOND, connection, generation, sequence, writer);
  }

  /** Sends a request on an outbound connection. */
  send(connection: number, generation: number, writer: Writer): void {
    this.message(PlanKind.SEND, connection, generation, 0, writer);
  }

  /** The frame gets no answer (acks=0), and the next one may go. */
  skip(connection: number, generation: number, sequence: number): void {
    this.row(PlanKind.SKIP, connection, generation, sequence);
  }

  close(connection: number, generation: number): void {
    this.row(PlanKind.CLOSE, connection, generation, 0);
  }

  /** Drops one reference to the arena run that holds `offset`. */
  release(offset: number): void {
    this.row(PlanKind.RELEASE, offset, 0, 0);
  }

  releasePin(pin: number): void {
    this.row(PlanKind.RELEASE_PIN, pin, 0, 0);
  }

  flush(): void {
    if (this.rows === 0) return;
    this.network.submit(this.table, this.rows, this.bytes);
    this.rows = 0;
    this.used = 0;
    // Only an answer that alone is larger makes it grow beyond this.
    if (this.bytes.length > 2 * PLAN_BYTES_MAX) this.bytes = new Uint8Array(BYTES_INITIAL);
  }

  private message(
    kind: number,
    connection: number,
    generation: number,
    sequence: number,
    writer: Writer,
  ): void {
    const { files, filesAt } = writer;
    const segmentsMax = files.length * 2 + 1;
    this.reserve(segmentsMax + 1, writer.length);
    const head = this.rows;
    this.row(kind, connection, generation, sequence);
    const base = this.used;
    this.bytes.set(writer.bytes.subarray(0, writer.length), base);
    this.used += writer.length;
    let from = 0;
    let segments = 0;
    for (let index = 0; index < files.length; index += 1) {
      const at = filesAt[index] as number;
      if (at > from) {
        this.segmentBytes(base + from, at - from);
        segments += 1;
      }
      const file = files[index] as (typeof files)[number];
      const row = this.rows++;
      this.table.setWord(row, Plan.kind, PlanKind.SEGMENT_FILE);
      this.table.setWord(row, Plan.pin, file.pin);
      this.table.setWord(row, Plan.fileLength, file.length);
      this.table.setDouble(row, Plan.filePositionF64, file.position);
      segments += 1;
      from = at;
    }
    if (writer.length > from) {
      this.segmentBytes(base + from, writer.length - from);
      segments += 1;
    }
    this.table.setWord(head, Plan.segmentCount, segments);
    this.table.setWord(head, Plan.totalBytes, writer.totalBytes);
  }

  private segmentBytes(offset: number, length: number): void {
    const row = this.rows++;
    this.table.setWord(row, Plan.kind, PlanKind.SEGMENT_BYTES);
    this.table.setWord(row, Plan.byteOffset, offset);
    this.table.setWord(row, Plan.byteLength, length);
  }

  private row(kind: number, a: number, b: number, c: number): void {
    this.reserve(1, 0);
    const row = this.rows++;
    this.table.setWord(row, Plan.kind, kind);
    this.table.setWord(row, Plan.connection, a);
    this.table.setWord(row, Plan.generation, b);
    this.table.setWord(row, Plan.sequence, c);
  }

  /** Makes room, handing over what is collected where the bounds ask for it. */
  private reserve(rows: number, bytes: number): void {
    assert(rows <= PLAN_ROWS_MAX, "one answer has more segments than the plan table has rows");
    if (this.rows + rows > PLAN_ROWS_MAX || this.used + bytes > PLAN_BYTES_MAX) this.flush();
    if (this.used + bytes <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(this.bytes.length * 2, this.used + bytes));
    grown.set(this.bytes.subarray(0, this.used));
    this.bytes = grown;
  }
}
