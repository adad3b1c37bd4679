import { describe, expect, test } from "bun:test";
import {
  ConfigResource,
  apply,
  brokerConfigNameOf,
  newImage,
  parseBrokerConfig,
  resolveBrokerConfig,
} from "../../src/index.ts";
import { brokerConfigs } from "../../src/configs/broker-configs.ts";
import { configOf } from "../fixtures.ts";

function errorsOf(entries: Record<string, string>): readonly string[] {
  const parsed = parseBrokerConfig(Object.entries(entries));
  return parsed.ok ? [] : parsed.error;
}

describe("parseBrokerConfig", () => {
  test("an empty file is a broker on 9092", () => {
    const config = configOf();
    expect(config.listeners).toEqual([{ name: "PLAINTEXT", host: "127.0.0.1", port: 9092 }]);
    expect(config).toMatchObject({
      nodeId: 1,
      rack: null,
      logDir: "mantou-data",
      autoCreateTopicsEnable: true,
      numPartitions: 1,
      socketRequestMaxBytes: 104_857_600,
      fetchMaxBytes: 57_671_680,
    });
    expect(config.entries.size).toBe(0);
  });

  test("every default is acceptable", () => {
    for (const { name, fallback, check } of brokerConfigs.values()) {
      expect([name, fallback === null ? null : check(fallback)]).toEqual([name, null]);
    }
  });

  test("all mistakes are named at once, one line each", () => {
    const errors = errorsOf({
      "node.id": "-1",
      listeners: "9092",
      "num.partitons": "3",
      "zookeeper.connect": "localhost",
      "broker.id": "1",
      "process.roles": "broker",
    });
    expect(errors).toEqual([
      'node.id: "-1" is below the smallest value 0',
      'listeners: "9092" is not of the form NAME://host:port at "9092"',
      '"num.partitons" is not a known setting, did you mean num.partitions?',
      "zookeeper.connect has no effect here and is refused: there is no ZooKeeper here",
      "broker.id is not a setting here: use node.id",
      "process.roles has no effect here and is refused: the controller is part of every broker and needs no setting",
    ]);
    for (const error of errors) expect(error).not.toContain("\n");
  });

  test("later entries win, blanks around values do not count", () => {
    const parsed = parseBrokerConfig([
      ["num.partitions", "2"],
      ["num.partitions", " 5 "],
      ["log.dir", "/data"],
    ]);
    expect(parsed).toMatchObject({ ok: true, value: { numPartitions: 5, logDir: "/data" } });
  });

  test("listeners", () => {
    const several = configOf({
      listeners: "plaintext://:9092, INSIDE://[::1]:0,OUTSIDE://0.0.0.0:9093",
      "advertised.listeners": "OUTSIDE://broker.example:19093",
      "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,INSIDE:PLAINTEXT,SSL:SSL",
    });
    expect(several.listeners).toEqual([
      { name: "PLAINTEXT", host: "", port: 9092 },
      { name: "INSIDE", host: "::1", port: 0 },
      { name: "OUTSIDE", host: "0.0.0.0", port: 9093 },
    ]);
    expect(several.advertisedListeners).toEqual([
      { name: "OUTSIDE", host: "broker.example", port: 19_093 },
    ]);
    expect(errorsOf({ listeners: "A://:1,A://:2" })[0]).toContain("twice");
    expect(errorsOf({ listeners: "A://:1,B://:1" })[0]).toContain("twice");
    expect(errorsOf({ listeners: "A://:70000" })[0]).toContain("65535");
    expect(errorsOf({ listeners: "SSL://:1" })[0]).toContain("SSL");
    expect(errorsOf({ listeners: "" })[0]).toContain("no listener");
    expect(errorsOf({ "advertised.listeners": "PLAINTEXT://0.0.0.0:1" })[0]).toContain("reachable");
    expect(errorsOf({ "advertised.listeners": "OTHER://h:1" })[0]).toContain("not one of");
    expect(errorsOf({ "listener.security.protocol.map": "A:SSL" })[0]).toContain("PLAINTEXT only");
    expect(errorsOf({ "listener.security.protocol.map": "A" })[0]).toContain("NAME:PROTOCOL");
  });

  test("a request must fit into the arena", () => {
    // The engine keeps five eighths of the arena free for one request, the largest that is allowed.
    const mebibytes = (count: number): string => String(count * 1024 * 1024);
    const errorsWith = (arena: string, request: string): readonly string[] =>
      errorsOf({ "mantou.arena.bytes": arena, "socket.request.max.bytes": request });
    expect(errorsWith(mebibytes(128), mebibytes(100))[0]).toContain("must hold one request");
    expect(errorsWith(mebibytes(128), mebibytes(80))[0]).toContain("must hold one request");
    expect(errorsWith(mebibytes(128), mebibytes(79))).toEqual([]);
  });

  test("an arena has whole mebibytes, and less than four gibibytes", () => {
    const errorsWith = (arena: number): readonly string[] =>
      errorsOf({ "mantou.arena.bytes": String(arena) });
    expect(errorsWith(268_435_456)).toEqual([]);
    expect(errorsWith(268_435_457)[0]).toContain("is not a multiple of 1048576");
    expect(errorsWith(2 ** 32)[0]).toContain("above the largest value");
    expect(errorsWith(2 ** 24)[0]).toContain("below the smallest value");
  });
});

describe("resolveBrokerConfig", () => {
  test("own over all over start over default; static ones stay", () => {
    const started = configOf({ "num.partitions": "2", "fetch.max.bytes": "2000" });
    const image = newImage();
    const set = (resourceName: string, name: string, value: string): void =>
      apply(image, {
        kind: "config",
        resourceType: ConfigResource.BROKER,
        resourceName,
        name,
        value,
      });
    expect(resolveBrokerConfig(image, started)).toBe(started);
    set("", "num.partitions", "3");
    expect(resolveBrokerConfig(image, started).numPartitions).toBe(3);
    set("1", "num.partitions", "4");
    set("2", "num.partitions", "5");
    set("1", "socket.request.max.bytes", "5000");
    const resolved = resolveBrokerConfig(image, started);
    expect(resolved.numPartitions).toBe(4);
    expect(resolved.fetchMaxBytes).toBe(2000);
    expect(resolved.socketRequestMaxBytes).toBe(104_857_600);
    expect(resolved.entries).toBe(started.entries);
  });
});

test("environment names", () => {
  expect(brokerConfigNameOf("NUM_PARTITIONS")).toBe("num.partitions");
  expect(brokerConfigNameOf("ARENA_BYTES")).toBe("mantou.arena.bytes");
  expect(brokerConfigNameOf("NO_SUCH")).toBe("no.such");
});
