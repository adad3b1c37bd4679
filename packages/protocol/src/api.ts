import type { Codec } from "./schema/codec.ts";
import { defineCodec } from "./schema/codec.ts";
import type { Type } from "./schema/types.ts";

/**
 * One API of the protocol: a request and its response, in all versions that we can decode.
 * What a broker advertises is the broker's decision (Produce, say, is advertised from 0).
 */
export interface Api<Request, Response, RequestInput = Request, ResponseInput = Response> {
  readonly key: number;
  /** Kafka's name, such as `Produce`. */
  readonly name: string;
  readonly minVersion: number;
  readonly maxVersion: number;
  /** First flexible version; Infinity: none. */
  readonly flexibleFrom: number;
  /** The last version is not settled yet: Kafka does not advertise it unless told to. */
  readonly latestVersionUnstable: boolean;
  readonly request: Codec<Request, RequestInput>;
  readonly response: Codec<Response, ResponseInput>;
}

// oxlint-disable-next-line typescript/no-explicit-any -- the values' types differ per API
export type AnyApi = Api<any, any, any, any>;

interface ApiOptions<Request, Response> {
  readonly key: number;
  readonly name: string;
  /** Lowest and highest version. */
  readonly versions: readonly [number, number];
  /** First flexible version. Without: none. */
  readonly flexible?: number;
  readonly latestVersionUnstable?: true;
  readonly request: Request;
  readonly response: Response;
}

export function defineApi<ReqOut extends ReqIn, ReqIn, ResOut extends ResIn, ResIn>(
  options: ApiOptions<Type<ReqOut, ReqIn>, Type<ResOut, ResIn>>,
): Api<ReqOut, ResOut, ReqIn, ResIn> {
  const { key, name, versions } = options;
  const flexible = options.flexible ?? Infinity;
  return {
    key,
    name,
    minVersion: versions[0],
    maxVersion: versions[1],
    flexibleFrom: flexible,
    latestVersionUnstable: options.latestVersionUnstable ?? false,
    request: defineCodec(options.request, { name: `${name}Request`, versions, flexible }),
    response: defineCodec(options.response, { name: `${name}Response`, versions, flexible }),
  };
}
