import type { AnyApi } from "@mantou/protocol";
import { EncodeError, Writer, encodeResponseHeader } from "@mantou/protocol";
import type { Ambient } from "./ambient.ts";
import type { Call } from "./handler.ts";
import { ANSWER_BYTES_MAX } from "./limits.ts";
import type { RequestMetrics } from "./metrics/request-metrics.ts";
import type { PlanWriter } from "./plan-writer.ts";

const WRITER_BYTES = 64 * 1024;
/** Memory of a rare large answer is not kept for the small ones that follow. */
const WRITER_BYTES_KEPT = 4 * 1024 * 1024;

/** The pins of every file range in an answer, wherever its schema has them. */
function pinsOf(value: unknown): number[] {
  if (Array.isArray(value)) return value.flatMap(pinsOf);
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return [];
  if ("pin" in value && typeof value.pin === "number") return [value.pin];
  return Object.values(value).flatMap(pinsOf);
}

/** Encodes responses into the plan of this tick. */
export class Answers {
  private writer = new Writer(WRITER_BYTES, ANSWER_BYTES_MAX);

  constructor(
    private readonly plan: PlanWriter,
    private readonly ambient: Ambient,
    private readonly metrics: RequestMetrics | null = null,
  ) {}

  /** Encodes at the call's version, or at `version` (ApiVersions falls back to 0). */
  send(call: Call, api: AnyApi, response: unknown, version: number = call.version): void {
    const writer = this.writer.reset();
    try {
      encodeResponseHeader(writer, api, version, call.correlationId);
      api.response.encode(writer, response, version);
    } catch (error) {
      if (!(error instanceof EncodeError)) throw error;
      // Our own answer does not fit the protocol: a defect, contained to this connection.
      this.ambient.logger.error("answer_not_encodable", {
        api: api.name,
        version,
        reason: error.message,
      });
      for (const pin of pinsOf(response)) this.plan.releasePin(pin);
      this.plan.close(call.connection, call.generation);
      return;
    }
    this.plan.respond(call.connection, call.generation, call.sequence, writer);
    this.metrics?.answer(call, api, response);
    if (writer.bytes.length > WRITER_BYTES_KEPT) {
      this.writer = new Writer(WRITER_BYTES, ANSWER_BYTES_MAX);
    }
  }

  /** The request has no answer; the next one of its connection may go. */
  skip(call: Call): void {
    this.plan.skip(call.connection, call.generation, call.sequence);
  }

  close(call: Call): void {
    this.plan.close(call.connection, call.generation);
  }
}
