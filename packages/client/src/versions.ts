import { type AnyApi, type ApiVersionsResponse } from "@mantou/protocol";
import { ClientError } from "./errors.ts";

export interface VersionRange {
  readonly min: number;
  readonly max: number;
}

/** The versions that one broker has, by API key. */
export class VersionTable {
  private readonly ranges = new Map<number, VersionRange>();

  constructor(response: ApiVersionsResponse) {
    for (const { apiKey, minVersion, maxVersion } of response.apiKeys) {
      this.ranges.set(apiKey, { min: minVersion, max: maxVersion });
    }
  }

  range(api: Pick<AnyApi, "key">): VersionRange | undefined {
    return this.ranges.get(api.key);
  }

  /** All of them, in the order in which the broker told them. */
  entries(): [number, VersionRange][] {
    return [...this.ranges];
  }

  /**
   * The highest version that both sides have. Throws ClientError UNSUPPORTED.
   * @param maxVersion goes no higher than this.
   */
  pick(api: AnyApi, maxVersion = Infinity): number {
    const range = this.ranges.get(api.key);
    if (range === undefined) {
      throw new ClientError("UNSUPPORTED", `the broker does not serve ${api.name}`);
    }
    const highest = api.latestVersionUnstable ? api.maxVersion - 1 : api.maxVersion;
    const version = Math.min(range.max, highest, maxVersion);
    if (version < Math.max(range.min, api.minVersion)) {
      throw new ClientError(
        "UNSUPPORTED",
        `the broker serves ${api.name} ${range.min} to ${range.max}, ` +
          `this client knows ${api.minVersion} to ${Math.min(highest, maxVersion)}`,
      );
    }
    return version;
  }
}
