import { expect, test } from "bun:test";
import { ServiceManager } from "../src/service-manager.ts";

const silent = { info: () => {}, warn: () => {}, error: () => {} };

test("without a manager nothing is sent", () => {
  const sent: string[] = [];
  const manager = new ServiceManager({}, silent, (_, text) => sent.push(text));
  manager.starting();
  manager.ready("well");
  manager.stopping();
  manager.quiet();
  expect(sent).toEqual([]);
});

test("a watchdog that is meant for another process is not fed", async () => {
  const sent: string[] = [];
  const environment = { NOTIFY_SOCKET: "/s", WATCHDOG_USEC: "2000", WATCHDOG_PID: "1" };
  const manager = new ServiceManager(environment, silent, (_, text) => sent.push(text));
  manager.ready("well");
  await Bun.sleep(20);
  expect(sent).toEqual(["READY=1\nSTATUS=well"]);
});

test("nobody who listens is a warning, not an error", () => {
  const warnings: string[] = [];
  const logger = { ...silent, warn: (event: string) => warnings.push(event) };
  const manager = new ServiceManager({ NOTIFY_SOCKET: "/s" }, logger, () => {
    throw new Error("cannot send");
  });
  manager.ready("well");
  expect(warnings).toEqual(["service_manager_not_told"]);
});
