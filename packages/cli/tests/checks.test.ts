import { describe, expect, test } from "bun:test";
import {
  addressScope,
  advertisedAdvice,
  clockFinding,
  diskFinding,
  fileLimitFinding,
  versionFinding,
} from "../src/checks.ts";

describe("doctor's judgements", () => {
  test("a clock is right while it is between question and answer", () => {
    expect(clockFinding(1050, 1000, 1100).status).toBe("ok");
    expect(clockFinding(400, 1000, 1100).status).toBe("ok");
    expect(clockFinding(5000, 1000, 1100)).toMatchObject({
      status: "warn",
      detail: "the controller's clock is 3900 ms ahead of ours",
    });
    expect(clockFinding(0, 100_000, 100_100)).toMatchObject({
      status: "fail",
      detail: "the controller's clock is 100000 ms behind ours",
    });
  });

  test("room on a disk, with and without its size", () => {
    const status = (total: number, usable: number): string | undefined =>
      diskFinding(1, "/d", total, usable, String)?.status;
    expect([status(100, 50), status(100, 10), status(100, 4)]).toEqual(["ok", "warn", "fail"]);
    expect([status(-1, 2 ** 40), status(-1, 2 ** 31), status(-1, 2 ** 20)]).toEqual([
      "ok",
      "warn",
      "fail",
    ]);
    expect(status(-1, -1)).toBeUndefined();
  });

  test("limits and versions", () => {
    const line = (limit: string): string => `Max open files            ${limit}    99999   files\n`;
    expect(fileLimitFinding(line("1024"))?.status).toBe("warn");
    expect(fileLimitFinding(line("unlimited"))?.status).toBe("ok");
    expect(fileLimitFinding(null)).toBe(null);
    const range = { min: 0, max: 12 };
    const all = new Map([0, 1, 2, 3].map((key) => [key, range]));
    expect(versionFinding(all).status).toBe("ok");
    all.delete(1);
    expect(versionFinding(all)).toMatchObject({ status: "fail" });
    expect(versionFinding(all).detail).toContain("Fetch");
  });

  test("advertised addresses that only their own machine can reach", () => {
    expect(
      ["localhost", "127.0.0.2", "10.1.2.3", "172.20.0.1", "0.0.0.0", "8.8.8.8"].map(addressScope),
    ).toEqual(["loopback", "loopback", "private", "private", "unspecified", "public"]);
    expect(advertisedAdvice(1, "127.0.0.1", "broker.example").cause).toContain("loopback");
    expect(advertisedAdvice(1, "10.0.0.4", "broker.example").cause).toContain("private");
    expect(advertisedAdvice(1, "127.0.0.1", "127.0.0.1").cause).toContain("down");
  });
});
