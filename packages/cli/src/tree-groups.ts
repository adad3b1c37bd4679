import type { CommandSpec, FlagSpec, PositionalSpec } from "./command.ts";

const GROUP: PositionalSpec = { name: "GROUP", about: "the group", completes: "group" };
const GROUPS: PositionalSpec = {
  name: "GROUP",
  about: "one or more groups",
  repeats: true,
  completes: "group",
};
const YES: FlagSpec = { name: "yes", short: "y", about: "do it; without, it is only shown" };

/** Consumer groups, and transactions. */
export const groupCommands: readonly CommandSpec[] = [
  {
    name: "group",
    aliases: ["groups"],
    about: "consumer groups, their members and offsets",
    commands: [
      {
        name: "list",
        aliases: ["ls"],
        about: "list groups",
        flags: [{ name: "lag", about: "members, topics and lag as well, the worst first" }],
        load: () => import("./commands/group-list.ts"),
      },
      {
        name: "show",
        aliases: ["describe", "info"],
        about: "members, committed offsets and lag of a group",
        positionals: [GROUP],
        load: () => import("./commands/group-show.ts"),
      },
      {
        name: "lag",
        about: "how far groups are behind, by partition, the worst first",
        positionals: [{ ...GROUPS, optional: true, about: "these groups (default: all)" }],
        load: () => import("./commands/group-lag.ts"),
      },
      {
        name: "members",
        about: "members and what they read; --remove takes some out of a classic group",
        positionals: [GROUP],
        flags: [
          {
            name: "remove",
            value: "MEMBER",
            repeats: true,
            about: "a member's or instance's id, or all (shows who would go, until --yes)",
          },
          YES,
        ],
        load: () => import("./commands/group-members.ts"),
      },
      {
        name: "reset",
        aliases: ["seek"],
        about: "set committed offsets (shows the plan, until --yes)",
        details: "Without --topic, every partition in which the group has committed is reset.",
        positionals: [GROUP],
        flags: [
          {
            name: "topic",
            short: "t",
            value: "TOPIC[:0,1]",
            repeats: true,
            about: "only this topic, or these partitions of it",
          },
          {
            name: "to",
            value: "PLACE",
            about: "earliest, latest, an offset, -10 (before the end) or @TIME (@1h: an hour ago)",
          },
          { name: "by", value: "COUNT", about: "so many on, or back where negative" },
          {
            name: "from-file",
            value: "FILE",
            about: "lines of topic,partition,offset; - reads standard input",
          },
          YES,
        ],
        examples: [
          "mantou group reset billing --to @2026-11-01T00:00Z",
          "mantou group reset billing -t orders:0,1 --by=-100 --yes",
        ],
        load: () => import("./commands/group-reset.ts"),
      },
      {
        name: "delete",
        aliases: ["rm", "remove"],
        about:
          "delete groups without members, with their offsets (shows what would go, until --yes)",
        positionals: [GROUPS],
        flags: [
          {
            name: "topic",
            short: "t",
            value: "TOPIC",
            repeats: true,
            about: "only the offsets in this topic",
          },
          YES,
        ],
        load: () => import("./commands/group-delete.ts"),
      },
    ],
  },
  {
    name: "txn",
    aliases: ["transaction", "transactions"],
    about: "transactions and those who hold them open",
    commands: [
      {
        name: "list",
        aliases: ["ls"],
        about: "list transactional ids",
        flags: [
          { name: "state", value: "STATE", repeats: true, about: "only those in this state" },
          { name: "producer-id", value: "ID", about: "only this producer" },
          { name: "longer-than", value: "DURATION", about: "only those open for longer" },
        ],
        examples: ["mantou txn list --state Ongoing --longer-than 15m"],
        load: () => import("./commands/txn-list.ts"),
      },
      {
        name: "show",
        aliases: ["describe"],
        about: "state, producer and partitions of a transactional id",
        positionals: [{ name: "ID", about: "the transactional id" }],
        load: () => import("./commands/txn-show.ts"),
      },
      {
        name: "abort",
        about: "end open transactions in a topic (shows them, until --yes)",
        details:
          "For transactions that hang: their coordinator has forgotten them, and readers wait.",
        positionals: [{ name: "TOPIC", about: "the topic", completes: "topic" }],
        flags: [
          { name: "partition", short: "p", value: "NUMBER", about: "only this partition" },
          { name: "producer-id", value: "ID", about: "only this producer" },
          { name: "hanging", about: "only those that no coordinator knows of" },
          YES,
        ],
        load: () => import("./commands/txn-abort.ts"),
      },
    ],
  },
];
