import { expect, test } from "bun:test";
import { join } from "node:path";
import {
  BUN_LOG_COLLECTIONS,
  bunPauses,
  javaPauses,
  judgePauses,
  withoutCollections,
} from "../src/collector-pauses.ts";

test("Bun tells the pauses of its collector", async () => {
  const file = join(import.meta.dir, "fixtures", "garbage.ts");
  const child = Bun.spawn([process.execPath, file], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, ...BUN_LOG_COLLECTIONS },
  });
  const log = await new Response(child.stderr).text();
  expect(await child.exited).toBe(0);
  const pauses = bunPauses(log, 7000);
  expect(pauses.length).toBeGreaterThan(0);
  for (const { endedAtMs, ms } of pauses) {
    expect(endedAtMs).toBe(7000);
    expect(ms).toBeGreaterThan(0);
  }
  expect(withoutCollections(`before\n${log}after\n`)).toBe("before\nafter\n");
});

test("pauses of a Java virtual machine, whatever their kind", () => {
  const log = [
    "[2026-11-23T10:00:00.500+0000] Using G1",
    "[2026-11-23T10:00:01.204+0000] GC(0) Pause Young (Normal) (G1 Evacuation Pause) 51M->9M(1024M) 7.250ms",
    "[2026-11-23T10:00:02.100+0000] GC(1) Concurrent Mark Cycle 93.120ms",
    "[2026-11-23T10:00:02.150+0000] GC(1) Pause Remark 60M->58M(1024M) 11.004ms",
  ].join("\n");
  const at = Date.UTC(2026, 10, 23, 10);
  expect(javaPauses(log)).toEqual([
    { endedAtMs: at + 1204, ms: 7.25 },
    { endedAtMs: at + 2150, ms: 11.004 },
  ]);
});

test("a pause in which all processors stood still is left out, and counted", () => {
  const pauses = [
    { endedAtMs: 1000, ms: 60 },
    { endedAtMs: 2000, ms: 15 },
  ];
  expect(judgePauses(pauses, [])).toEqual({ longestMs: 60, leftOut: 0 });
  const before = { beganAtMs: 800, endedAtMs: 900 };
  expect(judgePauses(pauses, [before])).toEqual({ longestMs: 60, leftOut: 0 });
  const stops = [before, { beganAtMs: 945, endedAtMs: 975 }, { beganAtMs: 980, endedAtMs: 1040 }];
  expect(judgePauses(pauses, stops)).toEqual({ longestMs: 15, leftOut: 1 });
  const throughout = [{ beganAtMs: 0, endedAtMs: 3000 }];
  expect(judgePauses(pauses, throughout)).toEqual({ longestMs: null, leftOut: 2 });
  expect(judgePauses([], stops)).toEqual({ longestMs: null, leftOut: 0 });
});
