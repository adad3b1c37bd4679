import { ErrorCode } from "@mantou/protocol";
import {
  type ChangeConfigs,
  ConfigOperation,
  type ConfigReply,
  type DecideContext,
  type Decision,
  type ItemReply,
  type ReplaceConfigs,
} from "../commands.ts";
import { brokerConfigs } from "../configs/broker-configs.ts";
import { type ConfigDefinition, ConfigType, listItems, refusal } from "../configs/definition.ts";
import { groupConfigBoundsFault, groupConfigs } from "../configs/group-config.ts";
import { unknownName } from "../configs/suggest.ts";
import { topicConfigConflict } from "../configs/topic-config.ts";
import { topicConfigs } from "../configs/topic-configs.ts";
import {
  ALL_BROKERS,
  type CatalogImage,
  ConfigResource,
  type ConfigResourceType,
} from "../image.ts";
import type { MetadataRecord } from "../records.ts";
import { topicNameFault } from "../topic-name.ts";
import { accepted, refused, repeated } from "./replies.ts";

/** Values after a change, by name; null removes the setting. */
type Changes = Map<string, string | null>;

/** Why a setting of a resource cannot have this value (trimmed), or null. */
export function settingFault(
  resourceType: ConfigResourceType,
  name: string,
  value: string,
): string | null {
  const table = tableOf(resourceType);
  const definition = table.get(name);
  if (definition === undefined) return unknownName(name, table.keys());
  if (!definition.dynamic) return `${name} can only be set when the broker starts`;
  const reason = definition.check(value);
  return reason === null ? null : refusal(name, value, reason);
}

export function decideReplaceConfigs(
  image: CatalogImage,
  command: ReplaceConfigs,
  context: DecideContext,
): Decision<readonly ConfigReply[]> {
  return forEachResource(command, (type, { resourceName, configs }) => {
    const changes: Changes = new Map();
    for (const name of repeated(configs.map((config) => config.name))) {
      return refused(ErrorCode.INVALID_REQUEST, `${name} is set more than once`);
    }
    for (const { name, value } of configs) {
      if (value === null) return refused(ErrorCode.INVALID_REQUEST, `${name} has no value`);
      changes.set(name, value.trim());
    }
    for (const name of image.settingsOf(type, resourceName).keys()) {
      if (!changes.has(name)) changes.set(name, null);
    }
    return changes;
  })(image, context);
}

export function decideChangeConfigs(
  image: CatalogImage,
  command: ChangeConfigs,
  context: DecideContext,
): Decision<readonly ConfigReply[]> {
  return forEachResource(command, (type, { resourceName, configs }) => {
    const changes: Changes = new Map();
    for (const name of repeated(configs.map((config) => config.name))) {
      return refused(ErrorCode.INVALID_REQUEST, `${name} is changed more than once`);
    }
    const settings = image.settingsOf(type, resourceName);
    for (const config of configs) {
      const changed = operate(type, settings.get(config.name), config);
      if (typeof changed === "object" && changed !== null) return changed;
      changes.set(config.name, changed);
    }
    return changes;
  })(image, context);
}

/** The new value, null to remove it, or why the operation is refused. */
function operate(
  type: ConfigResourceType,
  current: string | undefined,
  config: ChangeConfigs["resources"][number]["configs"][number],
): string | null | ItemReply {
  const { name, configOperation } = config;
  if (configOperation === ConfigOperation.DELETE) return null;
  if (config.value === null) return refused(ErrorCode.INVALID_REQUEST, `${name} has no value`);
  const value = config.value.trim();
  switch (configOperation) {
    case ConfigOperation.SET:
      return value;
    case ConfigOperation.APPEND:
    case ConfigOperation.SUBTRACT: {
      const definition = tableOf(type).get(name);
      if (definition !== undefined && definition.type !== ConfigType.LIST) {
        const message = `${name} is not a list: nothing can be appended to it or taken from it`;
        return refused(ErrorCode.INVALID_CONFIG, message);
      }
      const items = listItems(current ?? definition?.fallback ?? "");
      const operands = listItems(value);
      const result =
        configOperation === ConfigOperation.APPEND
          ? [...items, ...operands.filter((item) => !items.includes(item))]
          : items.filter((item) => !operands.includes(item));
      return result.join(",");
    }
    default:
      return refused(ErrorCode.INVALID_REQUEST, `unknown operation ${configOperation} on ${name}`);
  }
}

interface Resource {
  readonly resourceType: number;
  readonly resourceName: string;
}

/** Each resource by itself: all of its changes, or none and an error. */
function forEachResource<R extends Resource>(
  command: { readonly resources: readonly R[]; readonly validateOnly: boolean },
  changesOf: (type: ConfigResourceType, resource: R) => Changes | ItemReply,
): (image: CatalogImage, context: DecideContext) => Decision<readonly ConfigReply[]> {
  return (image, context) => {
    const records: MetadataRecord[] = [];
    const reply: ConfigReply[] = [];
    const keyOf = (resource: Resource): string =>
      `${resource.resourceType}/${resource.resourceName}`;
    const twice = repeated(command.resources.map(keyOf));
    for (const resource of command.resources) {
      const { resourceType, resourceName } = resource;
      const outcome = twice.has(keyOf(resource))
        ? refused(ErrorCode.INVALID_REQUEST, "each resource may be named once")
        : (resourceFault(image, resource) ??
          checked(
            image,
            resource,
            context,
            changesOf(resourceType as ConfigResourceType, resource),
          ));
      if (!(outcome instanceof Map)) {
        reply.push({ ...outcome, resourceType, resourceName });
        continue;
      }
      const settings = image.settingsOf(resourceType as ConfigResourceType, resourceName);
      for (const [name, value] of command.validateOnly ? [] : outcome) {
        if ((settings.get(name) ?? null) === value) continue;
        records.push({ kind: "config", resourceType, resourceName, name, value });
      }
      reply.push({ ...accepted, resourceType, resourceName });
    }
    return { records, reply };
  };
}

function checked(
  image: CatalogImage,
  { resourceType, resourceName }: Resource,
  { config }: DecideContext,
  changes: Changes | ItemReply,
): Changes | ItemReply {
  if (!(changes instanceof Map)) return changes;
  const type = resourceType as ConfigResourceType;
  for (const [name, value] of changes) {
    // A setting of an older version may always be removed.
    if (value === null) continue;
    const message = settingFault(type, name, value);
    if (message !== null) return refused(ErrorCode.INVALID_CONFIG, message);
    const bounds =
      type === ConfigResource.GROUP ? groupConfigBoundsFault(config, name, value) : null;
    if (bounds !== null) return refused(ErrorCode.INVALID_CONFIG, refusal(name, value, bounds));
  }
  if (type !== ConfigResource.TOPIC) return changes;
  const after = new Map(image.settingsOf(type, resourceName));
  for (const [name, value] of changes) {
    if (value === null) after.delete(name);
    else after.set(name, value);
  }
  const conflict = topicConfigConflict(image, config, after);
  return conflict === null ? changes : refused(ErrorCode.INVALID_CONFIG, conflict);
}

/** What is wrong with the resource itself. */
function resourceFault(image: CatalogImage, resource: Resource): ItemReply | null {
  const { resourceType, resourceName } = resource;
  if (resourceType === ConfigResource.TOPIC) {
    const fault = topicNameFault(resourceName);
    if (fault !== null) return refused(ErrorCode.INVALID_TOPIC_EXCEPTION, fault);
    if (image.topicByName(resourceName) !== undefined) return null;
    const message = `there is no topic ${resourceName}`;
    return refused(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, message);
  }
  if (resourceType === ConfigResource.GROUP) {
    return resourceName === "" ? refused(ErrorCode.INVALID_REQUEST, "a group has a name") : null;
  }
  if (resourceType !== ConfigResource.BROKER) {
    const message = `resources of type ${resourceType} have no settings here, only topics (2), brokers (4) and groups (32)`;
    return refused(ErrorCode.INVALID_REQUEST, message);
  }
  if (resourceName === ALL_BROKERS) return null;
  if (!/^(0|[1-9]\d{0,9})$/.test(resourceName)) {
    const message = `a broker is named by its number, not by ${JSON.stringify(resourceName)}`;
    return refused(ErrorCode.INVALID_REQUEST, message);
  }
  if (image.broker(Number(resourceName)) !== undefined) return null;
  return refused(ErrorCode.BROKER_ID_NOT_REGISTERED, `there is no broker ${resourceName}`);
}

const tableOf = (type: ConfigResourceType): ReadonlyMap<string, ConfigDefinition> =>
  type === ConfigResource.TOPIC
    ? topicConfigs
    : type === ConfigResource.GROUP
      ? groupConfigs
      : brokerConfigs;
