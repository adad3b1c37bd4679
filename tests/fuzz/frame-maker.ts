import type { Prng } from "@mantou/base";
import { servedApis } from "@mantou/broker";
import type { AnyApi } from "@mantou/protocol";
import {
  Writer,
  encodeRequestHeader,
  fetchApi,
  listOffsetsApi,
  metadataApi,
  produceApi,
  requestHeaderVersion,
} from "@mantou/protocol";
import type { Value } from "../../packages/protocol/tests/random-value.ts";
import { at } from "../../packages/protocol/tests/random-value.ts";
import type { ExtraTags, Site } from "../../packages/protocol/tests/wire-model.ts";
import { WireModel, bigEndian, uvarintBytes } from "../../packages/protocol/tests/wire-model.ts";
import type { AwareValues } from "./aware-values.ts";
import { FRAME_BYTES_MIN } from "./fuzz-network.ts";
import type { World } from "./world.ts";

export type Served = (typeof servedApis)[number];

export interface MadeFrame {
  readonly bytes: Uint8Array;
  readonly isHostile: boolean;
}

/** How often an API comes, where it is not once. */
const WEIGHTS = new Map<AnyApi, number>([
  [produceApi, 7],
  [fetchApi, 7],
  [listOffsetsApi, 2],
  [metadataApi, 2],
]);
const WEIGHTED: readonly Served[] = servedApis.flatMap((entry) =>
  Array.from({ length: WEIGHTS.get(entry.api) ?? 1 }, () => entry),
);

/** What a frame may weigh; the engine refuses larger ones before the broker sees them. */
const FRAME_BYTES_MAX = 256 * 1024;
/** Every struct gets the flood's tags: small requests become large enough. */
const SITES_FLOODED_MAX = 60;

/** Frames of every served API in every version: good ones, and ones that are wrong on purpose. */
export class FrameMaker {
  private readonly writer = new Writer(8192);
  private correlationId = 0;

  constructor(
    private readonly prng: Prng,
    private readonly world: World,
    private readonly values: AwareValues,
  ) {}

  /** The next frame, and whether it may cost its connection. */
  next(): MadeFrame {
    const { prng } = this;
    const entry = prng.pick(WEIGHTED);
    const version = prng.between(entry.api.minVersion, entry.maxVersion);
    const value = this.request(entry, version);
    const style = prng.below(100);
    if (style < 50) {
      // Without an answer, hanging up is how a broker tells of an error.
      const isHostile = value["acks"] === 0;
      return { bytes: this.honest(entry.api, version, value), isHostile };
    }
    if (style < 75) return { bytes: this.lying(entry.api, version, value), isHostile: true };
    if (style < 85) return { bytes: this.tagged(entry.api, version, value), isHostile: true };
    const honest = this.honest(entry.api, version, value);
    return { bytes: this.damaged(honest), isHostile: true };
  }

  /** A request as the codec writes it. */
  honest(api: AnyApi, version: number, value: unknown): Uint8Array {
    const writer = this.writer.reset();
    const clientId = this.prng.pick(["fuzz", "", null, "__admin_client", "grüße\n"]);
    encodeRequestHeader(writer, api, version, this.nextCorrelationId(), clientId);
    api.request.encode(writer, value, version);
    return writer.bytes.slice(0, writer.length);
  }

  private request(entry: Served, version: number): Value {
    const when = at(entry.api.request, version);
    const value = this.values.request(entry.api.request.schema, when);
    if (entry.api !== fetchApi || version < 7 || this.world.sessions.length === 0) return value;
    if (this.prng.chance(1, 2)) return value;
    const session = this.prng.pick(this.world.sessions);
    value["sessionId"] = session.id;
    // Now and then an epoch that is over, or not yet there.
    const isStale = this.prng.chance(1, 8);
    value["sessionEpoch"] = isStale ? session.nextEpoch - 1 : session.nextEpoch++;
    return value;
  }

  private nextCorrelationId(): number {
    this.correlationId = (this.correlationId + 1) & 0x7fff_ffff;
    return this.correlationId;
  }

  private header(api: AnyApi, version: number): number[] {
    const clientId = [0, 4, ...new TextEncoder().encode("fuzz")];
    const tags = requestHeaderVersion(api, version) === 2 ? [0] : [];
    return [
      ...bigEndian(BigInt(api.key), 2),
      ...bigEndian(BigInt(version), 2),
      ...bigEndian(BigInt(this.nextCorrelationId()), 4),
      ...clientId,
      ...tags,
    ];
  }

  /** One length, count, marker or tag of a good request is wrong. */
  private lying(api: AnyApi, version: number, value: unknown): Uint8Array {
    const { prng } = this;
    const model = new WireModel(at(api.request, version)).message(api.request.schema, value);
    const header = this.header(api, version);
    if (model.sites.length === 0) return Uint8Array.from([...header, ...model.bytes]);
    const site = prng.pick(model.sites);
    const remaining = model.bytes.length - site.position - site.width;
    const lie = prng.pick(liesFor(site, remaining));
    return joined(header, model.bytes, site.position, site.width, lie);
  }

  /** Every lie at every place of one good request, and every length that it can be cut to. */
  *everyLie(entry: Served, version: number): Generator<Uint8Array> {
    const { api } = entry;
    const value = this.request(entry, version);
    const model = new WireModel(at(api.request, version)).message(api.request.schema, value);
    for (const site of model.sites) {
      const remaining = model.bytes.length - site.position - site.width;
      for (const lie of liesFor(site, remaining)) {
        const header = this.header(api, version);
        yield joined(header, model.bytes, site.position, site.width, lie);
      }
    }
    const whole = this.honest(api, version, value);
    for (let length = FRAME_BYTES_MIN; length < whole.length; length += 1) {
      yield whole.slice(0, length);
    }
  }

  /** Tagged fields that nobody knows: few, or a flood of them. */
  private tagged(api: AnyApi, version: number, value: unknown): Uint8Array {
    const { prng } = this;
    const when = at(api.request, version);
    const flood =
      prng.chance(1, 30) &&
      new WireModel(when).message(api.request.schema, value).sites.length < SITES_FLOODED_MAX;
    const count = flood ? prng.between(100, 300) : prng.between(1, 3);
    const tags: ExtraTags = Array.from({ length: count }, (_, index) => [
      prng.chance(1, 4) ? prng.below(3) : 100 + index,
      Array.from({ length: flood ? 0 : prng.below(20) }, () => prng.below(256)),
    ]);
    const model = new WireModel(when, tags).message(api.request.schema, value);
    const header = this.header(api, version);
    const bytes = Uint8Array.from([...header, ...model.bytes]);
    return bytes.length <= FRAME_BYTES_MAX ? bytes : bytes.subarray(0, FRAME_BYTES_MAX);
  }

  private damaged(frame: Uint8Array): Uint8Array {
    const { prng } = this;
    switch (prng.below(8)) {
      case 0:
        return frame.subarray(0, prng.between(FRAME_BYTES_MIN, frame.length));
      case 1: {
        const longer = new Uint8Array(frame.length + prng.between(1, 40));
        longer.set(frame);
        return longer;
      }
      case 2:
        // Another version of the same API, which the body does not follow.
        new DataView(frame.buffer).setInt16(2, prng.pick([-1, 0, 1, 3, 8, 13, 20, 0x7fff]));
        return frame;
      case 3:
        new DataView(frame.buffer).setInt16(0, prng.pick([-1, 4, 7, 8, 9, 11, 63, 100, 0x7fff]));
        return frame;
      case 4:
        // The client id's length.
        new DataView(frame.buffer).setInt16(8, prng.pick([-2, -1, 0, 1, 0x7fff, frame.length]));
        return frame;
      default:
        for (let flips = prng.between(1, 4); flips > 0; flips -= 1) {
          const index = prng.between(FRAME_BYTES_MIN, Math.max(FRAME_BYTES_MIN, frame.length - 1));
          frame[index] = prng.pick([0, 1, 0x7f, 0x80, 0xff, prng.below(256)]);
        }
        return frame;
    }
  }
}

function joined(
  header: readonly number[],
  body: readonly number[],
  position: number,
  width: number,
  lie: readonly number[],
): Uint8Array {
  const bytes = new Uint8Array(header.length + body.length - width + lie.length);
  bytes.set(header);
  bytes.set(body.slice(0, position), header.length);
  bytes.set(lie, header.length + position);
  bytes.set(body.slice(position + width), header.length + position + lie.length);
  return bytes;
}

/** Values for one site: every kind of wrong length, count or marker. */
function liesFor(site: Site, remaining: number): readonly (readonly number[])[] {
  if (site.kind === "marker") return [[0], [2], [0x7f], [0x80], [0xfe], [1], [0xff]];
  if (site.kind === "int16" || site.kind === "int32") {
    const bytes = site.kind === "int16" ? 2 : 4;
    const max = 2 ** (bytes * 8 - 1) - 1;
    const values = [-2, -1, 0, 1, max, -max - 1, remaining - 1, remaining, remaining + 1];
    return values.map((value) => bigEndian(BigInt(value), bytes));
  }
  const values = [0, 1, 2, 0x7f, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];
  values.push(Math.max(0, remaining - 1), remaining, remaining + 1, remaining + 2);
  return [
    ...values.map(uvarintBytes),
    [0xff, 0xff, 0xff, 0xff, 0x10],
    [0xff, 0xff, 0xff, 0xff, 0xff],
    [0x80, 0x80, 0x80, 0x80, 0x80, 0x01],
  ];
}
