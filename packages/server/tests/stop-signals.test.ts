import { afterEach, expect, test } from "bun:test";
import { StopSignals } from "../src/stop-signals.ts";

const silent = { info: () => {}, warn: () => {}, error: () => {} };

function signals() {
  const statuses: number[] = [];
  return { statuses, signals: new StopSignals(silent, (status) => statuses.push(status)) };
}

afterEach(() => {
  process.removeAllListeners("SIGTERM");
  process.removeAllListeners("SIGINT");
});

test("before clients are served a signal ends the process as it would anyway", () => {
  const { statuses } = signals();
  process.emit("SIGTERM");
  expect(statuses).toEqual([143]);
});

test("the first signal asks, the second one ends", async () => {
  const { statuses, signals: stop } = signals();
  stop.serving();
  process.emit("SIGINT");
  expect(await stop.first).toBe("SIGINT");
  expect(statuses).toEqual([]);
  process.emit("SIGTERM");
  expect(statuses).toEqual([1]);
});
