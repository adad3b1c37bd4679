import { expect, test } from "bun:test";
import { checkZombies } from "../../src/checkers/zombies.ts";
import { History } from "../../src/history.ts";

const transactionalId = "transactional";

function identify(history: History, by: string): void {
  history.identified.push({ transactionalId, by, answered: history.moment() });
}

/** Begins a transaction; what is returned commits it. */
function begin(history: History, by: string): () => void {
  const began = history.moment();
  return () => {
    history.transactions.push({
      by,
      transactionalId,
      producerId: 1,
      producerEpoch: 0,
      began,
      sends: [],
      group: "group",
      offsets: new Map(),
      outcome: "committed",
      asked: "commit",
      endAsked: history.moment(),
      endAnswered: history.moment(),
    });
  };
}

test("who was fenced and has identified itself again is no zombie", () => {
  const history = new History();
  identify(history, "first");
  identify(history, "second");
  identify(history, "first");
  begin(history, "first")();
  expect(checkZombies(history)).toEqual([]);
});

test("who commits after somebody else has the transactional id is a zombie", () => {
  const history = new History();
  identify(history, "first");
  const commit = begin(history, "first");
  identify(history, "second");
  commit();
  expect(checkZombies(history)).toHaveLength(1);
});

test("who is fenced again after it has identified itself again is a zombie again", () => {
  const history = new History();
  identify(history, "first");
  identify(history, "second");
  identify(history, "first");
  const commit = begin(history, "first");
  identify(history, "second");
  commit();
  expect(checkZombies(history)).toHaveLength(1);
});

test("what began under an identity that was lost stays a zombie's", () => {
  const history = new History();
  identify(history, "first");
  const commit = begin(history, "first");
  identify(history, "second");
  identify(history, "first");
  commit();
  expect(checkZombies(history)).toHaveLength(1);
});
