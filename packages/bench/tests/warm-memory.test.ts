import { expect, test } from "bun:test";
import { availableBytes, warmMemory } from "../src/warm-memory.ts";

test("available memory is read from /proc/meminfo, in bytes", () => {
  const meminfo = "MemTotal:       24683700 kB\nMemFree:  100 kB\nMemAvailable:   2000 kB\n";
  expect(availableBytes(meminfo)).toBe(2_048_000);
  expect(availableBytes("MemTotal: 1 kB\n")).toBe(0);
});

test("the load generator does it, and is not believed where it fails", async () => {
  await warmMemory("true", 1e6);
  await expect(warmMemory("false", 1e6)).rejects.toThrow("could not be touched");
});
