import type { CommandSpec, FlagSpec, PositionalSpec } from "./command.ts";

const NAME: PositionalSpec = { name: "NAME", about: "the topic", completes: "topic" };
const NAMES: PositionalSpec = {
  name: "NAME",
  about: "one or more topics",
  repeats: true,
  completes: "topic",
};

const CONFIG: FlagSpec = {
  name: "config",
  short: "c",
  value: "KEY=VALUE",
  repeats: true,
  about: "a setting of the topic, such as retention.ms=1000",
};
const DRY_RUN: FlagSpec = { name: "dry-run", about: "check only, change nothing" };
const YES: FlagSpec = { name: "yes", short: "y", about: "do it; without, it is only shown" };

export const topicCommand: CommandSpec = {
  name: "topic",
  aliases: ["topics"],
  about: "topics and their partitions",
  commands: [
    {
      name: "create",
      about: "create topics",
      positionals: [{ ...NAMES, completes: [] }],
      flags: [
        {
          name: "partitions",
          short: "p",
          value: "COUNT",
          about: "partitions (default: the broker's)",
        },
        {
          name: "replicas",
          short: "r",
          aliases: ["replication-factor"],
          value: "COUNT",
          about: "copies of each partition (default: the broker's)",
        },
        CONFIG,
        { name: "if-not-exists", about: "a topic that exists already is fine" },
        DRY_RUN,
      ],
      examples: ["mantou topic create orders -p 3 -r 1 -c retention.ms=86400000"],
      load: () => import("./commands/topic-create.ts"),
    },
    {
      name: "list",
      aliases: ["ls"],
      about: "list topics",
      positionals: [{ name: "PATTERN", about: "a regular expression on names", optional: true }],
      flags: [{ name: "internal", short: "i", about: "internal topics as well" }],
      load: () => import("./commands/topic-list.ts"),
    },
    {
      name: "show",
      aliases: ["describe", "info"],
      about: "partitions, offsets, sizes and settings of a topic",
      positionals: [NAME],
      load: () => import("./commands/topic-show.ts"),
    },
    {
      name: "alter",
      about: "change settings or raise the number of partitions",
      positionals: [NAME],
      flags: [
        CONFIG,
        { name: "unset", value: "KEY", repeats: true, about: "back to the default" },
        { name: "partitions", short: "p", value: "COUNT", about: "new number of partitions" },
        DRY_RUN,
      ],
      examples: ["mantou topic alter orders -c retention.ms=3600000 --unset segment.bytes -p 6"],
      load: () => import("./commands/topic-alter.ts"),
    },
    {
      name: "delete",
      aliases: ["rm", "remove"],
      about: "delete topics with all of their records (shows what would go, until --yes)",
      positionals: [NAMES],
      flags: [YES, { name: "if-exists", about: "a topic that does not exist is fine" }],
      examples: ["mantou topic delete orders --yes"],
      load: () => import("./commands/topic-delete.ts"),
    },
    {
      name: "add-partitions",
      about: "add partitions to a topic",
      details: "Keys go to other partitions afterwards. Partitions cannot be taken away again.",
      positionals: [NAME, { name: "COUNT", about: "how many to add", optional: true }],
      flags: [
        { name: "add", short: "n", aliases: ["num"], value: "COUNT", about: "how many to add" },
        {
          name: "partitions",
          short: "p",
          aliases: ["total"],
          value: "COUNT",
          about: "how many there shall be",
        },
        DRY_RUN,
      ],
      examples: ["mantou topic add-partitions orders 3", "mantou topic add-partitions orders -p 6"],
      load: () => import("./commands/topic-add-partitions.ts"),
    },
  ],
};
