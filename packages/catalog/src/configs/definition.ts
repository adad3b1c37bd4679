/** Types of setting values, numbered as in DescribeConfigs. */
export const ConfigType = {
  BOOLEAN: 1,
  STRING: 2,
  INT: 3,
  LONG: 5,
  DOUBLE: 6,
  LIST: 7,
} as const;
export type ConfigType = (typeof ConfigType)[keyof typeof ConfigType];

/** Where a value comes from, numbered as in DescribeConfigs. */
export const ConfigSource = {
  TOPIC: 1,
  DYNAMIC_BROKER: 2,
  DYNAMIC_DEFAULT_BROKER: 3,
  STATIC_BROKER: 4,
  DEFAULT: 5,
  GROUP: 8,
} as const;
export type ConfigSource = (typeof ConfigSource)[keyof typeof ConfigSource];

/** One setting that is in force in this broker. What is not in a table is refused. */
export interface ConfigDefinition {
  /** Kafka's name, or ours under `mantou.`. */
  readonly name: string;
  readonly type: ConfigType;
  /** The value without any setting; null: none. */
  readonly fallback: string | null;
  /** Why a value is not acceptable, as the end of a sentence that begins with it; or null. */
  readonly check: (value: string) => string | null;
  /** One or two sentences for people. */
  readonly documentation: string;
  /** Whether it can be changed while the broker runs; else only at start. */
  readonly dynamic: boolean;
}

/** A broker setting that stands in where a topic does not say otherwise. */
export interface BrokerSynonym {
  readonly name: string;
  /** Units of the topic's setting in one unit of the broker's (hours to milliseconds). */
  readonly scale: number;
}

export interface TopicConfigDefinition extends ConfigDefinition {
  /** In order of precedence. The last one holds the default. */
  readonly synonyms: readonly BrokerSynonym[];
}

export type Check = (value: string) => string | null;

const LONG_MAX = 9_223_372_036_854_775_807n;
const integerPattern = /^[+-]?\d{1,19}$/;

function integerBetween(low: number, high: bigint): Check {
  return (value) => {
    if (!integerPattern.test(value)) return "is not an integer";
    const number = BigInt(value.startsWith("+") ? value.slice(1) : value);
    if (number < BigInt(low)) return `is below the smallest value ${low}`;
    if (number > high) return `is above the largest value ${high}`;
    return null;
  };
}

/** A 32-bit integer not below `low` and not above `high`. */
export const int = (low: number, high = 0x7fff_ffff): Check => integerBetween(low, BigInt(high));

/** A 64-bit integer not below `low`. */
export const long = (low: number): Check => integerBetween(low, LONG_MAX);

const doublePattern = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/** A number not below `low` and not above `high`, in decimal or scientific notation. */
export const double =
  (low: number, high: number): Check =>
  (value) => {
    if (!doublePattern.test(value)) return "is not a number";
    const number = Number(value);
    if (number < low) return `is below the smallest value ${low}`;
    return number > high ? `is above the largest value ${high}` : null;
  };

export const boolean: Check = (value) =>
  /^(true|false)$/i.test(value) ? null : 'is neither "true" nor "false"';

/** A checked boolean. Kafka takes any case. */
export const isTrue = (value: string | null): boolean => value?.toLowerCase() === "true";

export const oneOf =
  (...choices: readonly string[]): Check =>
  (value) =>
    choices.includes(value) ? null : `is none of ${choices.join(", ")}`;

export const text =
  (lengthMax: number): Check =>
  (value) =>
    value.length <= lengthMax ? null : `is longer than ${lengthMax} characters`;

/** Only one value; `reason` says why this broker has no other. */
export const only =
  (accepted: string, reason: string): Check =>
  (value) =>
    value.toLowerCase() === accepted.toLowerCase()
      ? null
      : `is not available, only ${JSON.stringify(accepted)} is: ${reason}`;

/** Values of a list setting: split at commas, without blanks around them. */
export function listItems(value: string): string[] {
  const items = value.split(",").map((item) => item.trim());
  return items.filter((item) => item.length > 0);
}

/** A checked integer as a number. Beyond 2^53 it stands for "no limit" and saturates. */
export function integerOf(value: string): number {
  const number = Number(value);
  return Math.min(Math.max(number, Number.MIN_SAFE_INTEGER), Number.MAX_SAFE_INTEGER);
}

/** The sentence that refuses a value. */
export const refusal = (name: string, value: string, reason: string): string =>
  `${name}: ${JSON.stringify(value)} ${reason}`;
