import type { CommandSpec } from "./command.ts";
import { clusterCommands } from "./tree-cluster.ts";
import { groupCommands } from "./tree-groups.ts";
import { recordCommands } from "./tree-records.ts";
import { toolCommands } from "./tree-tools.ts";
import { topicCommand } from "./tree-topics.ts";

/** All commands. Data only: what a command does is loaded when it is run. */
export const root: CommandSpec = {
  name: "mantou",
  about: "a message broker that speaks the Kafka protocol, and its command line",
  details: `Every command but "start" speaks to any Kafka broker.
Start here: mantou start; mantou topic create NAME; mantou produce NAME; mantou consume NAME`,
  commands: [
    {
      name: "start",
      about: "run a broker",
      isRaw: true,
      positionals: [],
      flags: [
        { name: "listen", value: "HOST:PORT", about: "address for clients", repeats: true },
        { name: "data-dir", value: "DIR", about: "where logs and metadata live" },
        {
          name: "admin-listen",
          value: "HOST:PORT",
          about: "address for /healthz, /readyz and /metrics (default 127.0.0.1:9644), or none",
        },
        { name: "config", value: "FILE", about: "settings as a TOML file" },
        { name: "set", value: "KEY=VALUE", about: "one setting", repeats: true },
      ],
      formats: ["table"],
      load: () => import("./commands/start.ts"),
    },
    topicCommand,
    ...recordCommands,
    ...groupCommands,
    ...clusterCommands,
    ...toolCommands,
  ],
};
