import {
  alterConfigsApi,
  describeConfigsApi,
  type DescribeConfigsResponse,
  incrementalAlterConfigsApi,
} from "@mantou/protocol";
import type { Cluster } from "./cluster.ts";
import type { Connection } from "./connection.ts";
import { throwIfError } from "./errors.ts";

/** What has configs. A broker's name is its id; "" means all brokers. */
export interface ConfigResource {
  readonly type: "topic" | "broker" | "group";
  readonly name: string;
}

export type ConfigEntry = DescribeConfigsResponse["results"][number]["configs"][number];

/** Changes of single configs; append and subtract are for lists. */
export interface ConfigChanges {
  readonly set?: Readonly<Record<string, string>>;
  readonly delete?: readonly string[];
  readonly append?: Readonly<Record<string, string>>;
  readonly subtract?: Readonly<Record<string, string>>;
}

const RESOURCE_TYPES = { topic: 2, broker: 4, group: 32 } as const;
const Operation = { SET: 0, DELETE: 1, APPEND: 2, SUBTRACT: 3 } as const;

/** The part of {@link Admin} that is about configs. */
export class AdminConfigs {
  constructor(protected readonly cluster: Cluster) {}

  /** All configs of a resource, or the named ones. Throws BrokerError. */
  async describeConfigs(
    resource: ConfigResource,
    names: readonly string[] | null = null,
  ): Promise<ConfigEntry[]> {
    const request = {
      resources: [{ ...named(resource), configurationKeys: names }],
      includeSynonyms: true,
    };
    const connection = await this.connectionFor(resource);
    const answer = await this.cluster.call(connection, describeConfigsApi, request);
    const [result] = answer.results;
    throwIfError(result?.errorCode ?? -1, `describe ${label(resource)}`, result?.errorMessage);
    return result?.configs ?? [];
  }

  /** Changes single configs of a resource. Throws BrokerError. */
  async alterConfigs(
    resource: ConfigResource,
    changes: ConfigChanges,
    validateOnly = false,
  ): Promise<void> {
    const entries = (operation: number, values: Readonly<Record<string, string>> = {}) =>
      Object.entries(values).map(([name, value]) => ({ name, configOperation: operation, value }));
    const deleted = (changes.delete ?? []).map((name) => ({
      name,
      configOperation: Operation.DELETE,
      value: null,
    }));
    const configs = [
      ...entries(Operation.SET, changes.set),
      ...deleted,
      ...entries(Operation.APPEND, changes.append),
      ...entries(Operation.SUBTRACT, changes.subtract),
    ];
    const request = { resources: [{ ...named(resource), configs }], validateOnly };
    const answer = await this.cluster.onController(async () =>
      this.cluster.call(await this.connectionFor(resource), incrementalAlterConfigsApi, request),
    );
    const [result] = answer.responses;
    throwIfError(result?.errorCode ?? -1, `alter ${label(resource)}`, result?.errorMessage);
  }

  /** Replaces all configs of a resource, the old way (AlterConfigs). Throws BrokerError. */
  async replaceConfigs(
    resource: ConfigResource,
    values: Readonly<Record<string, string>>,
    validateOnly = false,
  ): Promise<void> {
    const configs = Object.entries(values).map(([name, value]) => ({ name, value }));
    const request = { resources: [{ ...named(resource), configs }], validateOnly };
    const connection = await this.connectionFor(resource);
    const answer = await this.cluster.call(connection, alterConfigsApi, request);
    const [result] = answer.responses;
    throwIfError(result?.errorCode ?? -1, `replace ${label(resource)}`, result?.errorMessage);
  }

  /** A broker's own configs are asked of that broker. */
  private connectionFor(resource: ConfigResource): Promise<Connection> {
    const isOneBroker = resource.type === "broker" && resource.name !== "";
    return isOneBroker ? this.cluster.broker(Number(resource.name)) : this.cluster.any();
  }
}

const named = (resource: ConfigResource) => ({
  resourceType: RESOURCE_TYPES[resource.type],
  resourceName: resource.name,
});

const label = (resource: ConfigResource): string => `configs of ${resource.type} ${resource.name}`;
