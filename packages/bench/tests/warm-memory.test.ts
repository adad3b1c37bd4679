import { expect, test } from "bun:test";
import { availableBytes, warmMemory } from "../src/warm-memory.ts";

test("available memory is read from /proc/meminfo, in bytes", () => {
  const meminfo = "MemTotal:       24683700 kB\nMemFree:  100 kB\nMemAvailable:   2000 kB\n";
  expect(availableBytes(meminfo)).toBe(2_048_000);
  expect(availableBytes("MemTotal: 1 kB\n")).toBe(0);
});

test("touching some memory ends well, touching none is a mistake", async () => {
  await warmMemory(8 * 1024 * 1024);
  await expect(warmMemory(0)).rejects.toThrow("could not be touched");
});
