import type { CommandSpec, PositionalSpec } from "./command.ts";

const RESOURCE: PositionalSpec = {
  name: "KIND",
  about: "topic, broker or group",
  completes: ["topic", "broker", "group"],
};
const OF: PositionalSpec = {
  name: "NAME",
  about: "the topic or group, the id of a broker, or all (every broker)",
  completes: "topic",
};

export const clusterCommands: readonly CommandSpec[] = [
  {
    name: "config",
    aliases: ["configs"],
    about: "settings of topics, brokers and groups",
    commands: [
      {
        name: "show",
        aliases: ["get", "list", "describe"],
        about: "settings that are in force, and where they come from",
        positionals: [
          RESOURCE,
          OF,
          { name: "KEY", about: "only these", optional: true, repeats: true },
        ],
        load: () => import("./commands/config-show.ts"),
      },
      {
        name: "set",
        about: "change settings while the broker runs",
        positionals: [RESOURCE, OF, { name: "KEY=VALUE", about: "what to set", repeats: true }],
        flags: [{ name: "dry-run", about: "check only, change nothing" }],
        examples: ["mantou config set topic orders retention.ms=3600000"],
        load: () => import("./commands/config-set.ts"),
      },
      {
        name: "unset",
        aliases: ["delete"],
        about: "put settings back to their defaults",
        positionals: [RESOURCE, OF, { name: "KEY", about: "what to put back", repeats: true }],
        flags: [{ name: "dry-run", about: "check only, change nothing" }],
        load: () => import("./commands/config-unset.ts"),
      },
      {
        name: "diff",
        about: "settings that differ from their defaults, or between two",
        positionals: [
          RESOURCE,
          OF,
          { name: "OTHER", about: "compare with this one", optional: true },
        ],
        load: () => import("./commands/config-diff.ts"),
      },
      {
        name: "check",
        about: "check a broker's settings file (mantou.toml) without starting",
        positionals: [{ name: "FILE", about: "the TOML file", completes: "file" }],
        load: () => import("./commands/config-check.ts"),
      },
      {
        name: "dump",
        about: "every setting of a broker started here: value, default, source",
        flags: [
          { name: "config", value: "FILE", about: "settings as a TOML file" },
          { name: "set", value: "KEY=VALUE", repeats: true, about: "one setting" },
          { name: "changed", about: "only what is not the default" },
        ],
        load: () => import("./commands/config-dump.ts"),
      },
    ],
  },
  {
    name: "cluster",
    about: "the cluster as a whole",
    commands: [
      {
        name: "show",
        aliases: ["info"],
        about: "id, controller, brokers, and how its partitions are",
        flags: [{ name: "check", about: "exit with 10 where partitions are not well" }],
        load: () => import("./commands/cluster-show.ts"),
      },
    ],
  },
  {
    name: "node",
    aliases: ["nodes", "broker"],
    about: "brokers",
    commands: [
      {
        name: "list",
        aliases: ["ls"],
        about: "brokers, their addresses and their load",
        load: () => import("./commands/node-list.ts"),
      },
    ],
  },
  {
    name: "quorum",
    aliases: ["controller"],
    about: "the metadata quorum",
    commands: [
      {
        name: "show",
        aliases: ["status"],
        about: "leader, epoch and how far each voter is",
        load: () => import("./commands/quorum-show.ts"),
      },
    ],
  },
];
