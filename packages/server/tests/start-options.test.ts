import { expect, test } from "bun:test";
import { resolve } from "node:path";
import { parseStartOptions } from "../src/start-options.ts";

const noFile = (): string => {
  throw new Error("ENOENT: no such file or directory");
};

function parsed(argv: string[], environment: Record<string, string> = {}, file?: string) {
  const options = parseStartOptions(argv, environment, file === undefined ? noFile : () => file);
  if (!options.ok) throw new Error(options.error.join("; "));
  return options.value.config;
}

function faults(argv: string[], environment: Record<string, string> = {}, file?: string): string[] {
  const options = parseStartOptions(argv, environment, file === undefined ? noFile : () => file);
  if (options.ok) throw new Error("accepted");
  return [...options.error];
}

test("without anything: loopback, one partition, an absolute data directory", () => {
  const config = parsed([]);
  expect(config.listeners).toEqual([{ name: "PLAINTEXT", host: "127.0.0.1", port: 9092 }]);
  expect(config.logDir).toBe(resolve("mantou-data"));
});

test("flags win over the environment, and that over the file", () => {
  const file = "num.partitions = 2\ndefault.replication.factor = 1\n[log]\nretention.ms = 5000\n";
  const argv = ["--config", "mantou.toml", "--set", "num.partitions=4"];
  expect(parsed(["--config", "mantou.toml"], {}, file).numPartitions).toBe(2);
  expect(
    parsed(["--config", "mantou.toml"], { MANTOU_NUM_PARTITIONS: "3" }, file).numPartitions,
  ).toBe(3);
  const config = parsed(argv, { MANTOU_NUM_PARTITIONS: "3" }, file);
  expect(config.numPartitions).toBe(4);
  expect(config.entries.get("log.retention.ms")).toBe("5000");
});

test("several listeners, with and without names", () => {
  const argv = ["--listen", "127.0.0.1:9192", "--listen", "INTERNAL://127.0.0.1:9193"];
  expect(parsed(argv).listeners).toEqual([
    { name: "PLAINTEXT", host: "127.0.0.1", port: 9192 },
    { name: "INTERNAL", host: "127.0.0.1", port: 9193 },
  ]);
});

test("each mistake is one line that says what, and what to do", () => {
  for (const [argv, part] of [
    [["--port", "1"], "--port"],
    [["topic"], "topic"],
    [["--set", "num.partitions"], "KEY=VALUE"],
    [["--set", "num.partitons=1"], "num.partitions"],
    [["--listen", "nowhere"], "nowhere"],
    [["--config", "none.toml"], "none.toml"],
  ] as const) {
    const lines = faults([...argv]);
    expect(lines.length).toBe(1);
    expect(lines[0]).toContain(part);
    expect(lines[0]).not.toContain("\n");
  }
});

test("help comes before any mistake", () => {
  const options = parseStartOptions(["--help"], { MANTOU_NONSENSE: "1" }, noFile);
  expect(options).toMatchObject({ ok: true, value: { help: true } });
});

test("an unknown environment variable is a mistake too", () => {
  expect(faults([], { MANTOU_NUM_PARTITION: "3" })[0]).toContain("num.partitions");
});
