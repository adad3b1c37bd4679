import { describe, expect, test } from "bun:test";
import {
  humaneBytes,
  humaneCount,
  humaneDuration,
  isoTime,
  plural,
  relativeTime,
} from "../src/humane.ts";
import { momentOf, parseDuration } from "../src/moments.ts";
import { didYouMean, editDistance, nearestNames } from "../src/nearest.ts";
import { progressBar } from "../src/progress.ts";
import { renderTable } from "../src/table.ts";
import { table } from "../src/answer.ts";

describe("words for people", () => {
  test("sizes, counts and lengths of time", () => {
    expect([0, 1023, 1536, 3.1 * 2 ** 30].map(humaneBytes)).toEqual([
      "0 B",
      "1023 B",
      "1.5 KiB",
      "3.1 GiB",
    ]);
    expect([7, 1234, 4182907].map(humaneCount)).toEqual(["7", "1,234", "4,182,907"]);
    expect([12.34, 999, 1500, 90_000, 90_061_000].map(humaneDuration)).toEqual([
      "12.3ms",
      "999ms",
      "1.5s",
      "1m 30s",
      "1d 1h",
    ]);
    expect(relativeTime(0, 300_000)).toBe("5m ago");
    expect(relativeTime(7_200_000, 0)).toBe("in 2h");
    expect(isoTime(-1)).toBe(null);
    expect(plural(1, "batch", "batches")).toBe("1 batch");
  });

  test("durations and moments", () => {
    expect(["500ms", "30s", "1h30m", "7d"].map(parseDuration)).toEqual([
      500, 30_000, 5_400_000, 604_800_000,
    ]);
    expect(["", "h", "1x", "-1h", "1"].map(parseDuration)).toEqual([null, null, null, null, null]);
    const now = Date.parse("2026-11-22T12:00:00Z");
    const moment = (text: string): number => momentOf("--since", text, now);
    expect(moment("1h")).toBe(now - 3_600_000);
    expect(moment("@-1h")).toBe(now - 3_600_000);
    expect(moment("now")).toBe(now);
    expect(moment("2026-11-22T11:00:00Z")).toBe(now - 3_600_000);
    expect(moment(String(now))).toBe(now);
    expect(() => moment("yesterday-ish")).toThrow(/no point in time/);
  });

  test("a bar shows the share, where there is a total", () => {
    expect(progressBar(300, 1000, "read")).toBe("[######              ] 30% 300 of 1,000 read");
    expect(progressBar(2000, 1000, "read")).toContain("100%");
    expect(progressBar(1234, null, "sent")).toBe("1,234 sent");
  });

  test("a table may have more rows than a call has arguments", () => {
    const rows = Array.from({ length: 200_000 }, (_, n) => ({ n }));
    const columns = [{ title: "N", of: (row: { n: number }) => row.n, kind: "count" as const }];
    const style = { isWide: false, isTerminal: false, hasColor: false, nowMs: 0 };
    expect(renderTable(table(rows, columns), style).split("\n").length).toBe(rows.length + 2);
  });

  test("nearest names", () => {
    expect(editDistance("ordres", "orders")).toBe(1);
    expect(nearestNames("ordrs", ["orders", "payments", "order"])).toEqual(["orders", "order"]);
    expect(didYouMean("zzz", ["orders"])).toBe(null);
    expect(didYouMean("pay", ["payments"])).toBe("did you mean payments?");
  });

  test("tables are raw in a pipe and humane on a terminal", () => {
    const rows = [
      { name: "a\u001b[31m", bytes: 2048, at: 0 },
      { name: "longer", bytes: 5, at: -1 },
    ];
    const shown = table(rows, [
      { title: "NAME", of: (row) => row.name },
      { title: "SIZE", of: (row) => row.bytes, kind: "bytes" },
      { title: "AT", of: (row) => row.at, kind: "time" },
      { title: "MORE", of: () => "x", isWide: true },
    ]);
    const style = { isWide: false, isTerminal: false, hasColor: false, nowMs: 60_000 };
    expect(renderTable(shown, style)).toBe(
      "NAME       SIZE  AT\na\\x1b[31m  2048  1970-01-01T00:00:00.000Z\nlonger        5  -\n",
    );
    expect(renderTable(shown, { ...style, isTerminal: true, isWide: true })).toContain(
      "2.0 KiB  1m ago  x",
    );
  });
});
