import { AssertionError } from "@mantou/base";
import type { AnyApi } from "@mantou/protocol";
import {
  DecodeError,
  REQUEST_PREFIX_BYTES,
  Reader,
  apiVersionsApi,
  decodeRequestHeader,
  fetchApi,
  produceApi,
  requestHeaderVersion,
} from "@mantou/protocol";
import type { FetchRequest, ProduceRequest } from "@mantou/protocol";
import type { Arena } from "@mantou/io";
import type { Ambient } from "./ambient.ts";
import type { Answers } from "./answers.ts";
import type { ServedEntry } from "./apis.ts";
import { servedByKey } from "./apis.ts";
import type { BrokerCounters } from "./counters.ts";
import { unsupportedApiVersions } from "./handlers/api-versions.ts";
import { metadataFailure } from "./drivers/metadata.ts";
import type { FetchStage } from "./handlers/fetch.ts";
import type { ProduceStage } from "./handlers/produce.ts";
import type { BrokerContext, Call, Outcome } from "./handler.ts";
import { UNEXPECTED } from "./refusals.ts";
import {
  DECODED_BYTES_FLOOR,
  DECODED_BYTES_PER_FRAME_BYTE,
  MALFORMED_LINES_PER_SECOND,
} from "./limits.ts";
import { LineLimit } from "./line-limit.ts";
import type { RequestMetrics } from "./metrics/request-metrics.ts";

/** A frame as the network hands it over. */
export interface Frame {
  readonly connection: number;
  readonly generation: number;
  readonly sequence: number;
  readonly listenerId: number;
  readonly offset: number;
  readonly length: number;
  readonly apiKey: number;
  readonly version: number;
  readonly correlationId: number;
}

export interface DispatchParts {
  readonly context: BrokerContext;
  readonly arena: Arena;
  readonly answers: Answers;
  readonly produce: ProduceStage;
  readonly fetch: FetchStage;
  readonly ambient: Ambient;
  readonly counters: BrokerCounters;
  readonly metrics: RequestMetrics | null;
  readonly release: (frameOffset: number) => void;
  /** Hands collected answers over when one was made outside of a tick. */
  readonly flushSoon: () => void;
}

/** Frame in, request decoded, handler called, outcome carried out. One request hurts no other. */
export class Dispatch {
  private readonly reader: Reader;
  private later = 0;
  private readonly malformedLines = new LineLimit(MALFORMED_LINES_PER_SECOND);

  constructor(private readonly parts: DispatchParts) {
    this.reader = new Reader(parts.arena.bytes, parts.arena.view);
  }

  /** Requests whose answer waits for the controller or for a disk. */
  get waiting(): number {
    return this.later;
  }

  /** Takes one frame. Its memory is released here, or by the produce stage after the append. */
  take(frame: Frame): void {
    const entry = servedByKey.get(frame.apiKey);
    if (
      entry === undefined ||
      frame.version < entry.api.minVersion ||
      frame.version > entry.maxVersion
    ) {
      this.refuseVersion(frame);
      return;
    }
    const { api } = entry;
    let call: Call;
    let request: unknown;
    try {
      const budget = frame.length * DECODED_BYTES_PER_FRAME_BYTE + DECODED_BYTES_FLOOR;
      const bodyBytes = frame.length - REQUEST_PREFIX_BYTES;
      this.reader.reset(frame.offset + REQUEST_PREFIX_BYTES, bodyBytes, budget);
      const flexible = requestHeaderVersion(api, frame.version) === 2;
      const { clientId } = decodeRequestHeader(this.reader, flexible);
      call = newCall(frame, clientId, this.parts.metrics?.nowMs);
      request = api.request.decode(this.reader, frame.version);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.malformed(frame, api, error);
      return;
    }
    this.parts.counters.requests += 1;
    this.parts.metrics?.took(api.key);
    try {
      this.handle(entry, call, request, frame);
    } catch (error) {
      this.answerFailure(entry, call, request, frame, error);
    }
  }

  private handle(entry: ServedEntry, call: Call, request: unknown, frame: Frame): void {
    // The two APIs that move records are stages of their own; all others are one function each.
    if (entry.api === produceApi) {
      this.parts.produce.take(call, request as ProduceRequest, frame.offset);
      return;
    }
    this.parts.release(frame.offset);
    if (entry.api === fetchApi) {
      this.parts.fetch.take(call, request as FetchRequest);
      return;
    }
    this.carryOut(entry, call, request, frame, entry.handle(this.parts.context, call, request));
  }

  private carryOut(
    entry: ServedEntry,
    call: Call,
    request: unknown,
    frame: Frame,
    outcome: Outcome<unknown>,
  ): void {
    const { answers } = this.parts;
    switch (outcome.kind) {
      case "answer":
        answers.send(call, entry.api, outcome.response);
        return;
      case "close":
        answers.close(call);
        return;
      case "waits":
        outcome.start((response) => {
          try {
            answers.send(call, entry.api, response);
          } catch (error) {
            // Whoever answers is in the middle of other requests' work.
            this.answerFailure(entry, call, request, frame, error);
          }
        });
        return;
      case "later":
        this.later += 1;
        outcome.response
          .then((response) => answers.send(call, entry.api, response))
          .catch((error: unknown) => this.answerFailure(entry, call, request, frame, error))
          .then(
            () => {
              this.later -= 1;
              this.parts.flushSoon();
            },
            (error: unknown) => this.parts.ambient.fatal("a request cannot be answered", error),
          );
    }
  }

  /** A defect in a handler: that request is answered with -1, counted and logged. */
  private answerFailure(
    entry: ServedEntry,
    call: Call,
    request: unknown,
    frame: Frame,
    error: unknown,
  ): void {
    // A broken assertion is about our own state: nothing that follows could be trusted.
    if (error instanceof AssertionError) this.parts.ambient.fatal("assertion failed", error);
    const expected = metadataFailure(error);
    if (expected === null) {
      this.parts.counters.handlerFailures += 1;
      this.parts.ambient.logger.error("request_failed", {
        api: entry.api.name,
        version: call.version,
        frameBytes: frame.length,
        clientId: call.clientId,
        reason: error instanceof Error ? (error.stack ?? error.message) : String(error),
      });
    }
    const failure = expected ?? UNEXPECTED;
    const response = entry.refuse(request, failure, call.version);
    this.parts.answers.send(call, entry.api, response);
  }

  /** An unparseable request gets no answer in Kafka's protocol: the connection is closed. */
  private malformed(frame: Frame, api: AnyApi, error: DecodeError): void {
    this.parts.release(frame.offset);
    this.parts.counters.malformed += 1;
    const heldBack = this.malformedLines.take(this.parts.ambient.clock.monotonicMs());
    if (heldBack >= 0) {
      this.parts.ambient.logger.warn("request_malformed", {
        api: api.name,
        version: frame.version,
        frameBytes: frame.length,
        reason: error.message,
        ...(heldBack === 0 ? {} : { heldBack }),
      });
    }
    this.parts.answers.close(newCall(frame, ""));
  }

  /** Only ApiVersions answers a version that it does not know, and does so at version 0. */
  private refuseVersion(frame: Frame): void {
    this.parts.release(frame.offset);
    const call = newCall(frame, "");
    if (frame.apiKey === apiVersionsApi.key) {
      this.parts.answers.send(call, apiVersionsApi, unsupportedApiVersions(this.parts.context), 0);
      return;
    }
    this.parts.counters.unsupported += 1;
    this.parts.answers.close(call);
  }
}

function newCall(frame: Frame, clientId: string, arrivedMs = -1): Call {
  return {
    arrivedMs,
    connection: frame.connection,
    generation: frame.generation,
    sequence: frame.sequence,
    apiKey: frame.apiKey,
    version: frame.version,
    correlationId: frame.correlationId,
    clientId,
    listenerId: frame.listenerId,
  };
}
