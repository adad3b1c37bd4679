import type { CommandSpec } from "./command.ts";

export const toolCommands: readonly CommandSpec[] = [
  {
    name: "log",
    about: "a broker's files, offline",
    commands: [
      {
        name: "inspect",
        about: "batches of a segment file, its CRCs and its indexes",
        positionals: [
          { name: "FILE", about: "a .log, .index or .timeindex file", completes: "file" },
        ],
        flags: [
          { name: "records", short: "r", about: "records as well" },
          { name: "faults", about: "only what is wrong" },
        ],
        examples: ["mantou log inspect mantou-data/orders-0/00000000000000000000.log -r"],
        load: () => import("./commands/log-inspect.ts"),
      },
    ],
  },
  {
    name: "doctor",
    about: "test the way to the cluster from here; says cause and fix (exit 10: something fails)",
    details: "Every advertised address is tried, as a client would.",
    load: () => import("./commands/doctor.ts"),
  },
  {
    name: "health",
    about: "ask a broker's admin listener whether it serves clients (exit 10: it does not)",
    details: "Without --admin: MANTOU_ADMIN_LISTEN, or 127.0.0.1:9644. Meant for health checks.",
    flags: [
      { name: "admin", value: "HOST:PORT", about: "the broker's admin listener" },
      { name: "alive", about: "ask only whether its process answers" },
    ],
    load: () => import("./commands/health.ts"),
  },
  {
    name: "bench",
    about: "a quick load: produce, then consume, on a topic of its own that is deleted afterwards",
    flags: [
      { name: "seconds", short: "s", value: "SECONDS", about: "how long to produce (default 5)" },
      { name: "size", value: "BYTES", about: "size of a value (default 1024)" },
      { name: "partitions", short: "p", value: "COUNT", about: "partitions (default 1)" },
      { name: "batch", value: "BYTES", about: "size of a batch (default 65536)" },
      {
        name: "acks",
        value: "ACKS",
        choices: ["0", "1", "all", "-1"],
        about: "who has to have a record",
      },
      {
        name: "codec",
        short: "z",
        value: "CODEC",
        choices: ["none", "gzip", "snappy", "lz4", "zstd"],
        about: "compression",
      },
      { name: "keep", about: "keep the topic" },
    ],
    load: () => import("./commands/bench.ts"),
  },
  {
    name: "profile",
    aliases: ["profiles"],
    about: "named sets of addresses and client properties",
    details: `A profile is chosen by --profile, MANTOU_PROFILE, .mantou.yaml in the project (with "profile:
NAME", or "bootstrap:" and "properties:"), or "profile use". Flags win over the environment
(MANTOU_BOOTSTRAP), the environment over the profile.`,
    commands: [
      {
        name: "list",
        aliases: ["ls"],
        about: "profiles, and which one is in use",
        load: () => import("./commands/profile-list.ts"),
      },
      {
        name: "use",
        about: "make a profile the one in use",
        positionals: [{ name: "NAME", about: "the profile, or - for none", completes: "profile" }],
        load: () => import("./commands/profile-use.ts"),
      },
      {
        name: "set",
        aliases: ["create"],
        about: "write a profile from -b and -X",
        positionals: [{ name: "NAME", about: "the profile", completes: "profile" }],
        examples: ["mantou profile set dev -b localhost:9092 -X acks=all"],
        load: () => import("./commands/profile-set.ts"),
      },
      {
        name: "import",
        about: "take profiles from rpk.yaml or a client.properties",
        positionals: [{ name: "FILE", about: "rpk.yaml or client.properties", completes: "file" }],
        flags: [
          { name: "name", value: "NAME", about: "how to call the profile of a properties file" },
          { name: "yes", short: "y", about: "replace profiles of the same name" },
        ],
        load: () => import("./commands/profile-import.ts"),
      },
    ],
  },
  {
    name: "completion",
    about: "the completion script of a shell",
    positionals: [
      { name: "SHELL", about: "bash, zsh or fish", completes: ["bash", "zsh", "fish"] },
    ],
    formats: ["raw"],
    examples: [
      "mantou completion bash > /etc/bash_completion.d/mantou",
      "mantou completion zsh > ~/.zfunc/_mantou",
      "mantou completion fish > ~/.config/fish/completions/mantou.fish",
    ],
    load: () => import("./commands/completion.ts"),
  },
  {
    name: "__complete",
    about: "what completion scripts ask",
    isHidden: true,
    isRaw: true,
    load: () => import("./commands/complete.ts"),
  },
  {
    name: "help",
    about: "help on a command, or on properties",
    positionals: [
      {
        name: "COMMAND",
        about: "such as topic create",
        optional: true,
        repeats: true,
        completes: "command",
      },
    ],
    formats: ["table"],
    load: () => import("./commands/help.ts"),
  },
  {
    name: "version",
    about: "versions of mantou, Bun and the addon",
    load: () => import("./commands/version.ts"),
  },
];
