import { describe, expect, test } from "bun:test";
import { Failure } from "../src/failure.ts";
import { parseCommandLine } from "../src/parse.ts";
import { root } from "../src/tree.ts";

const parse = (line: string) => {
  const { path, values } = parseCommandLine(root, line.split(" "));
  return { command: path.map((spec) => spec.name).join(" "), values };
};

const failure = (line: string): Failure => {
  try {
    parse(line);
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  throw new Error(`${line} was taken`);
};

describe("the command line", () => {
  test("takes the forms that scripts rely on", () => {
    const create = parse("topic create orders -p 3 -r 1 -c retention.ms=1000 -b h:1");
    expect(create.command).toBe("topic create");
    expect(create.values.positionals).toEqual(["orders"]);
    expect(create.values.integer("partitions")).toBe(3);
    expect(create.values.integer("replicas")).toBe(1);
    expect(create.values.pairs("config")).toEqual([["retention.ms", "1000"]]);
    expect(create.values.text("bootstrap")).toBe("h:1");
    const consume = parse("consume t --last 5 --exit -o ndjson");
    expect(consume.values.has("exit")).toBe(true);
    expect(consume.values.text("output")).toBe("ndjson");
    expect(parse("topic delete t --yes").values.has("yes")).toBe(true);
    expect(parse("config set topic t a=b c=d").values.positionals).toEqual([
      "topic",
      "t",
      "a=b",
      "c=d",
    ]);
  });

  test("takes flags before, between and behind the words, and aliases", () => {
    expect(parse("-b h:1 topic -o json ls").command).toBe("topic list");
    expect(parse("topics list --bootstrap-server=h:2").values.text("bootstrap")).toBe("h:2");
    expect(parse("consume t -en3").values.integer("count")).toBe(3);
    expect(parse("consume t --offset -10").values.text("offset")).toBe("-10");
    expect(parse("topic create a -- --odd").values.positionals).toEqual(["a", "--odd"]);
  });

  test("takes kcat's habits", () => {
    const { values } = parse("consume -t orders -o -10 -e -J -b h:1");
    expect(values.positionals).toEqual(["orders"]);
    expect([values.text("offset"), values.text("output")]).toEqual(["-10", "ndjson"]);
    expect(parse("consume t -o beginning").values.text("offset")).toBe("beginning");
    expect(parse("consume t -o json").values.text("offset")).toBe(null);
    expect(parse("produce -t orders").values.positionals).toEqual(["orders"]);
  });

  test("names the nearest command and flag", () => {
    expect(failure("topc list").hint).toContain("topic");
    expect(failure("topic creat x").hint).toContain("create");
    expect(failure("topic list --bootstrp x").hint).toBe("did you mean --bootstrap?");
    expect(failure("produce t --codec ztsd").hint).toContain("zstd");
    expect(failure("topc list").exitCode).toBe(2);
  });

  test("says what is missing or too much", () => {
    expect(failure("topic create").message).toContain("NAME");
    expect(failure("topic show a b").message).toContain('"b"');
    expect(failure("topic create x -p").message).toContain("-p COUNT");
    expect(failure("topic list --internal=3").message).toContain("takes no value");
    expect(() => parse("topic create x -p three").values.integer("partitions", 1)).toThrow(/three/);
  });

  test("asks nothing of somebody who wants help", () => {
    expect(parse("topic create --help").values.has("help")).toBe(true);
    expect(parse("topic --help").command).toBe("topic");
  });
});
