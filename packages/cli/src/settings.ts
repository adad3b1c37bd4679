import type { ClientOptions, ConsumerOptions, ProducerOptions } from "@mantou/client";
import { Failure, usage } from "./failure.ts";
import { durationOf } from "./moments.ts";
import { didYouMean } from "./nearest.ts";
import { pairOf, type Values } from "./values.ts";
import type { Profile } from "./profiles.ts";

export const BOOTSTRAP_FALLBACK = "127.0.0.1:9092";
const TIMEOUT_MS = 10_000;

type Mutable<T> = { -readonly [K in keyof T]?: T[K] };

/** What a client is made of, from flags, environment and profile. */
export interface ClientSettings {
  readonly bootstrap: string;
  /** Where `bootstrap` comes from, for a person: "-b", "MANTOU_BOOTSTRAP", "profile dev". */
  readonly bootstrapFrom: string;
  readonly timeoutMs: number;
  readonly client: ClientOptions;
  readonly producer: ProducerOptions;
  readonly consumer: ConsumerOptions;
}

interface Targets {
  bootstrap: string | null;
  readonly client: Mutable<ClientOptions>;
  readonly producer: Mutable<ProducerOptions>;
  readonly consumer: Mutable<ConsumerOptions>;
  readonly tls: { wanted: boolean; ca: string | null; verify: boolean };
}

type Setter = (targets: Targets, value: string, name: string) => void;

const number = (name: string, value: string): number => {
  if (!/^\d{1,15}$/.test(value)) throw usage(`-X ${name}=${value}: not a whole number`);
  return Number(value);
};

const isTrue = (name: string, value: string): boolean => {
  if (!/^(true|false|1|0)$/i.test(value))
    throw usage(`-X ${name}=${value}: neither true nor false`);
  return /^(true|1)$/i.test(value);
};

const choice = <T extends string>(name: string, value: string, choices: readonly T[]): T => {
  const found = choices.find((item) => item === value.toLowerCase());
  if (found === undefined) throw usage(`-X ${name}=${value}: none of ${choices.join(", ")}`);
  return found;
};

const acks: Setter = ({ producer }, value, name) => {
  const known = { "0": 0, "1": 1, all: "all", "-1": "all" } as const;
  const found = known[value.toLowerCase() as keyof typeof known];
  if (found === undefined) throw usage(`-X ${name}=${value}: none of 0, 1, all`);
  producer.acks = found;
};

const codec: Setter = ({ producer }, value, name) => {
  producer.codec = choice(name, value, ["none", "gzip", "snappy", "lz4", "zstd"]);
};

const security: Setter = ({ tls }, value, name) => {
  const protocol = value.toUpperCase();
  if (protocol.startsWith("SASL")) throw noSasl(name);
  if (protocol !== "PLAINTEXT" && protocol !== "SSL") {
    throw usage(`-X ${name}=${value}: none of PLAINTEXT, SSL`);
  }
  tls.wanted = protocol === "SSL";
};

const noSasl = (name: string): Failure =>
  new Failure("UNSUPPORTED", `${name}: this client does not speak SASL yet`, {
    hint: "use a listener without SASL",
    exitCode: 2,
  });

const setters: Readonly<Record<string, Setter>> = {
  "bootstrap.servers": (targets, value) => {
    targets.bootstrap = value;
  },
  "client.id": ({ client }, value) => {
    client.clientId = value;
  },
  "allow.auto.create.topics": ({ client }, value, name) => {
    client.autoCreateTopics = isTrue(name, value);
  },
  "request.timeout.ms": ({ client, producer, consumer }, value, name) => {
    client.requestTimeoutMs = number(name, value);
    producer.requestTimeoutMs = number(name, value);
    consumer.requestTimeoutMs = number(name, value);
  },
  "socket.connection.setup.timeout.ms": ({ client }, value, name) => {
    client.connectTimeoutMs = number(name, value);
  },
  acks,
  "compression.type": codec,
  "linger.ms": ({ producer }, value, name) => {
    producer.lingerMs = number(name, value);
  },
  "batch.size": ({ producer }, value, name) => {
    producer.batchBytes = number(name, value);
  },
  "max.request.size": ({ producer }, value, name) => {
    producer.requestBytesMax = number(name, value);
  },
  "buffer.memory": ({ producer }, value, name) => {
    producer.bufferBytesMax = number(name, value);
  },
  "enable.idempotence": ({ producer }, value, name) => {
    producer.idempotent = isTrue(name, value);
  },
  "delivery.timeout.ms": ({ producer }, value, name) => {
    producer.deliveryTimeoutMs = number(name, value);
  },
  "max.in.flight.requests.per.connection": ({ producer }, value, name) => {
    producer.inFlightMax = number(name, value);
  },
  "isolation.level": ({ consumer }, value, name) => {
    consumer.isolation = choice(name, value, ["read_uncommitted", "read_committed"]);
  },
  "auto.offset.reset": ({ consumer }, value, name) => {
    consumer.offsetReset = choice(name, value, ["earliest", "latest", "none"]);
  },
  "fetch.max.wait.ms": ({ consumer }, value, name) => {
    consumer.maxWaitMs = number(name, value);
  },
  "fetch.min.bytes": ({ consumer }, value, name) => {
    consumer.minBytes = number(name, value);
  },
  "fetch.max.bytes": ({ consumer }, value, name) => {
    consumer.fetchBytesMax = number(name, value);
  },
  "max.partition.fetch.bytes": ({ consumer }, value, name) => {
    consumer.partitionBytesMax = number(name, value);
  },
  "check.crcs": ({ consumer }, value, name) => {
    consumer.checkCrc = isTrue(name, value);
  },
  "security.protocol": security,
  "ssl.ca.location": ({ tls }, value) => {
    tls.ca = value;
  },
  "enable.ssl.certificate.verification": ({ tls }, value, name) => {
    tls.verify = isTrue(name, value);
  },
};

/** Names of librdkafka's for the same things. */
const synonyms: Readonly<Record<string, string>> = {
  "metadata.broker.list": "bootstrap.servers",
  "request.required.acks": "acks",
  "compression.codec": "compression.type",
  "queue.buffering.max.ms": "linger.ms",
  "message.timeout.ms": "delivery.timeout.ms",
  "socket.timeout.ms": "request.timeout.ms",
  "max.in.flight": "max.in.flight.requests.per.connection",
  "fetch.wait.max.ms": "fetch.max.wait.ms",
  "fetch.message.max.bytes": "max.partition.fetch.bytes",
};

/** Names of client.properties that `-X` takes. */
export const knownProperties = (): string[] => [...Object.keys(setters), ...Object.keys(synonyms)];

/** Whether `-X` takes a property of this name. */
export const isKnownProperty = (name: string): boolean =>
  Object.hasOwn(setters, synonyms[name] ?? name);

/** Puts the settings together: flags over environment over profile. Throws Failure. */
export function clientSettings(
  values: Values,
  variables: Readonly<Record<string, string | undefined>>,
  profile: { readonly name: string; readonly profile: Profile } | null,
): ClientSettings {
  const targets: Targets = {
    bootstrap: null,
    client: {},
    producer: {},
    consumer: {},
    tls: { wanted: false, ca: null, verify: true },
  };
  const apply = (name: string, value: string): void => {
    const setter = setters[synonyms[name] ?? name];
    if (setter === undefined) {
      if (name.startsWith("sasl.")) throw noSasl(name);
      const near = didYouMean(name, knownProperties());
      throw usage(`-X ${name} is not a known property`, near ?? "see mantou help properties");
    }
    setter(targets, value, name);
  };
  for (const [name, value] of Object.entries(profile?.profile.properties ?? {})) apply(name, value);
  const profileBootstrap = profile?.profile.bootstrap ?? targets.bootstrap;
  targets.bootstrap = null;
  for (const item of values.list("property")) apply(...pairOf("-X", item));
  const found = bootstrapOf(values, targets.bootstrap, variables, [
    profileBootstrap,
    `profile ${profile?.name}`,
  ]);
  const timeout = values.text("timeout");
  const timeoutMs = timeout === null ? TIMEOUT_MS : durationOf("--timeout", timeout);
  const client: ClientOptions = {
    clientId: "mantou-cli",
    connectTimeoutMs: Math.min(timeoutMs, 5000),
    requestTimeoutMs: timeoutMs,
    ...targets.client,
    brokers: found.bootstrap,
    retryTimeoutMs: timeoutMs,
    ...tlsOptions(targets),
  };
  const { producer, consumer } = targets;
  return { ...found, timeoutMs, client, producer, consumer };
}

function bootstrapOf(
  values: Values,
  property: string | null,
  variables: Readonly<Record<string, string | undefined>>,
  fromProfile: readonly [string | null, string],
): Pick<ClientSettings, "bootstrap" | "bootstrapFrom"> {
  const places: readonly (readonly [string | null | undefined, string])[] = [
    [values.text("bootstrap"), "-b"],
    [property, "-X bootstrap.servers"],
    [variables["MANTOU_BOOTSTRAP"], "MANTOU_BOOTSTRAP"],
    fromProfile,
    [BOOTSTRAP_FALLBACK, "the default"],
  ];
  const [bootstrap, bootstrapFrom] = places.find(([value]) => (value ?? "") !== "") as readonly [
    string,
    string,
  ];
  return { bootstrap, bootstrapFrom };
}

function tlsOptions({ tls }: Targets): Pick<ClientOptions, "tls"> {
  if (!tls.wanted) return {};
  if (tls.ca === null && tls.verify) return { tls: true };
  const ca = tls.ca === null ? {} : { ca: Bun.file(tls.ca) };
  return { tls: { ...ca, rejectUnauthorized: tls.verify } };
}
