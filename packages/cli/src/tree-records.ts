import type { CommandSpec, FlagSpec } from "./command.ts";
import { JSON_FLAG, kcatHabits, TOPIC_FLAG } from "./kcat-habits.ts";

const CODECS = ["none", "gzip", "snappy", "lz4", "zstd"];
export const RECORD_ENCODINGS = ["text", "json", "hex", "base64", "int32", "int64", "float64"];

const START_FLAGS: readonly FlagSpec[] = [
  { name: "from-beginning", aliases: ["beginning"], about: "from the oldest record" },
  {
    name: "since",
    value: "TIME",
    about: "from the first record since then: 1h, 2026-11-01T08:00Z",
  },
  { name: "last", value: "COUNT", about: "from the last COUNT records" },
  {
    name: "offset",
    value: "OFFSET",
    about: "earliest, latest, 42, -10 (before the end), @TIME, or FROM:TO",
  },
  { name: "until", value: "TIME", about: "stop at the first record since then" },
  {
    name: "count",
    short: "n",
    aliases: ["max-messages"],
    value: "COUNT",
    about: "stop after COUNT records",
  },
  { name: "exit", short: "e", about: "stop at the end that it saw at the start" },
  { name: "partition", short: "p", value: "N,N", repeats: true, about: "these partitions only" },
  { name: "where", value: "EXPRESSION", about: "only records r for which this TypeScript is true" },
];

const ACKS: FlagSpec = {
  name: "acks",
  value: "ACKS",
  choices: ["0", "1", "all", "-1"],
  about: "who has to have a record",
};
const CODEC: FlagSpec = {
  name: "codec",
  short: "z",
  aliases: ["compression"],
  value: "CODEC",
  choices: CODECS,
  about: "compression",
};

export const recordCommands: readonly CommandSpec[] = [
  {
    name: "produce",
    adapt: kcatHabits,
    about: "send records: lines of standard input, files, or ndjson",
    details: `Each line is a record; -K cuts off its key. With -i ndjson, each line is a JSON object as
"consume -o ndjson" prints it, so records go round without loss.`,
    positionals: [
      {
        name: "TOPIC",
        about: "where to (each ndjson record may name its own)",
        completes: "topic",
        optional: true,
      },
    ],
    flags: [
      {
        name: "input",
        short: "i",
        value: "FORM",
        choices: ["lines", "ndjson", "whole"],
        about: "what standard input is",
      },
      {
        name: "key-separator",
        short: "K",
        value: "TEXT",
        about: "cuts each line into key and value",
      },
      { name: "key", short: "k", value: "KEY", about: "the key of every record" },
      {
        name: "header",
        short: "H",
        value: "KEY=VALUE",
        repeats: true,
        about: "a header of every record",
      },
      {
        name: "file",
        short: "f",
        value: "PATH",
        repeats: true,
        about: "a whole file as one record",
      },
      { name: "partition", short: "p", value: "N", about: "this partition, whatever the key" },
      { name: "timestamp", value: "TIME", about: "the time of every record (default: now)" },
      {
        name: "key-format",
        value: "FORM",
        choices: RECORD_ENCODINGS,
        about: "how keys are written",
      },
      {
        name: "value-format",
        value: "FORM",
        choices: RECORD_ENCODINGS,
        about: "how values are written",
      },
      TOPIC_FLAG,
      { name: "tombstones", short: "Z", about: "an empty value is none (null)" },
      CODEC,
      ACKS,
    ],
    formats: ["table", "json", "ndjson", "yaml"],
    examples: [
      "echo 'hello' | mantou produce greetings",
      "echo 'anna:hello' | mantou produce greetings -K : -H lang=en -z zstd",
      "mantou consume a --from-beginning -e -o ndjson | mantou produce b -i ndjson",
    ],
    load: () => import("./commands/produce.ts"),
  },
  {
    name: "consume",
    adapt: kcatHabits,
    aliases: ["tail"],
    about: "read records",
    details: `Without a start it waits for new records; with --exit alone it begins with the oldest.
In -f: %t topic %p partition %o offset %k key %v value %h headers %T timestamp %d time
%K and %S sizes of key and value, \\n \\t \\0 \\xHH, %% itself.
In --where: r.topic r.partition r.offset r.timestamp r.key r.value (text, or as --value-format
says) r.json (the value parsed) r.headers.name`,
    positionals: [
      { name: "TOPIC", about: "one or more topics", repeats: true, completes: "topic" },
    ],
    flags: [
      ...START_FLAGS,
      { name: "format", short: "f", value: "TEXT", about: "print each record like printf" },
      { name: "key-format", value: "FORM", choices: RECORD_ENCODINGS, about: "what keys are" },
      { name: "value-format", value: "FORM", choices: RECORD_ENCODINGS, about: "what values are" },
      { ...TOPIC_FLAG, repeats: true },
      JSON_FLAG,
      { name: "committed", about: "leave out records of transactions that are not committed" },
    ],
    formats: ["raw", "pretty", "json", "ndjson", "yaml"],
    examples: [
      "mantou consume orders --since 1h --where 'r.json.total > 40'",
      "mantou consume orders --last 10 --exit -o ndjson",
      "mantou consume orders --from-beginning -e -f '%p/%o %k=%v\\n'",
    ],
    load: () => import("./commands/consume.ts"),
  },
  {
    name: "record",
    aliases: ["records"],
    about: "move records",
    commands: [
      {
        name: "copy",
        aliases: ["cp"],
        about: "copy records from one topic to another, here or on another cluster",
        details:
          "Keys, values, headers and timestamps are kept. It ends at the end that it saw at the start.",
        positionals: [
          { name: "FROM", about: "the topic to read", completes: "topic" },
          { name: "TO", about: "the topic to write", completes: "topic" },
        ],
        flags: [
          ...START_FLAGS.filter((flag) => flag.name !== "exit"),
          { name: "follow", about: "go on with new records" },
          { name: "to-bootstrap", value: "HOST:PORT", about: "the cluster to write to" },
          { name: "keep-partitions", about: "into the partition that it came from" },
          CODEC,
          ACKS,
        ],
        examples: ["mantou record copy orders orders-test --since 1d --where 'r.json.test'"],
        load: () => import("./commands/record-copy.ts"),
      },
    ],
  },
];
