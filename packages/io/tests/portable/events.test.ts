import { describe, expect, test } from "bun:test";
import { EVENT_WORDS, EventQueue, type Scheduler, Table } from "../../src/index.ts";

/** Tasks in a list, run by hand. */
function manual(): Scheduler & { run(): void } {
  const tasks: (() => void)[] = [];
  return {
    soon: (task) => void tasks.push(task),
    after: () => () => {},
    nowMs: () => 0,
    run() {
      for (let task = tasks.shift(); task !== undefined; task = tasks.shift()) task();
    },
  };
}

describe("the event queue", () => {
  test("rings once until it has been emptied", () => {
    const scheduler = manual();
    const queue = new EventQueue(scheduler);
    const table = new Table(EVENT_WORDS, 4);
    let rings = 0;
    queue.onEvents(() => {
      rings += 1;
    });
    queue.push(1);
    queue.push(2);
    scheduler.run();
    queue.push(3);
    scheduler.run();
    expect(rings).toBe(1);
    expect(queue.drain(table)).toBe(3);
    expect([0, 1, 2].map((row) => table.word(row, 0))).toEqual([1, 2, 3]);
    queue.push(4);
    scheduler.run();
    expect(rings).toBe(2);
  });

  test("a full table leaves the bell silent: the reader comes back by itself", () => {
    const scheduler = manual();
    const queue = new EventQueue(scheduler);
    const table = new Table(EVENT_WORDS, 2);
    let rings = 0;
    queue.onEvents(() => {
      rings += 1;
    });
    queue.push(1);
    queue.push(2);
    scheduler.run();
    expect(queue.drain(table)).toBe(2);
    queue.push(3);
    scheduler.run();
    expect(rings).toBe(1);
    expect(queue.drain(table)).toBe(1);
  });

  test("events that came before the bell was named ring it", () => {
    const scheduler = manual();
    const queue = new EventQueue(scheduler);
    queue.push(1);
    let rings = 0;
    queue.onEvents(() => {
      rings += 1;
    });
    scheduler.run();
    expect(rings).toBe(1);
  });

  test("completions run in their place and take no row", () => {
    const queue = new EventQueue(manual());
    const table = new Table(EVENT_WORDS, 2);
    const order: string[] = [];
    queue.complete(() => order.push("first"));
    queue.push(7);
    queue.complete(() => order.push("second"));
    expect(queue.drain(table)).toBe(1);
    expect(order).toEqual(["first", "second"]);
    expect(table.word(0, 0)).toBe(7);
  });

  test("grows without losing the order", () => {
    const queue = new EventQueue(manual());
    const table = new Table(EVENT_WORDS, 1_000);
    for (let value = 1; value <= 700; value++) queue.push(value);
    expect(queue.drain(table)).toBe(700);
    for (let value = 1; value <= 5_000; value++) {
      queue.setDouble(queue.push(value), 2, value * 2 ** 32);
    }
    for (let read = 0; read < 5_000; read += 1_000) {
      expect(queue.drain(table)).toBe(1_000);
      expect(table.word(0, 0)).toBe(read + 1);
      expect(table.double(999, 2)).toBe((read + 1_000) * 2 ** 32);
    }
    expect(queue.drain(table)).toBe(0);
  });

  test("discard drops rows and still settles", () => {
    const scheduler = manual();
    const queue = new EventQueue(scheduler);
    let settled = 0;
    queue.push(1);
    queue.complete(() => {
      settled += 1;
    });
    queue.discard();
    scheduler.run();
    queue.complete(() => {
      settled += 1;
    });
    scheduler.run();
    expect(settled).toBe(2);
    expect(queue.drain(new Table(EVENT_WORDS, 2))).toBe(0);
  });
});
