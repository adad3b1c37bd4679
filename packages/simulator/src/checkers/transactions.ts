import type { History } from "../history.ts";

/**
 * A transaction is whole: what was acknowledged as committed shows every record, what was aborted
 * none, and one whose end is unknown shows all or nothing.
 */
export function checkTransactions(history: History): string[] {
  const faults: string[] = [];
  const visible = new Set<string>();
  for (const { committed } of history.final.values()) {
    for (const { value } of committed) if (value !== null) visible.add(value);
  }
  for (const transaction of history.transactions) {
    const sends = transaction.sends.filter(({ where }) => {
      const topic = history.topicOf(where);
      return topic?.isCompacted === false && history.final.has(where);
    });
    const shown = sends.filter(({ value }) => visible.has(value));
    const sure = sends.filter(({ outcome }) => outcome === "acked");
    const hidden = sure.filter(({ value }) => !visible.has(value));
    const who =
      `${transaction.by}: its transaction of ${sends.map(({ value }) => value).join(", ")} ` +
      `(producer ${transaction.producerId} epoch ${transaction.producerEpoch})`;
    if (transaction.outcome === "committed" && hidden.length > 0) {
      faults.push(`${who} was committed, and ${hidden[0]?.value} is not to be seen`);
    }
    if (transaction.outcome === "aborted" && shown.length > 0) {
      faults.push(`${who} was aborted, and ${shown[0]?.value} is to be seen`);
    }
    if (transaction.outcome === "unknown" && shown.length > 0) {
      if (transaction.asked !== "commit") {
        faults.push(`${who} was never committed, and ${shown[0]?.value} is to be seen`);
      } else if (hidden.length > 0) {
        faults.push(`${who} is torn: ${shown[0]?.value} is to be seen, ${hidden[0]?.value} not`);
      }
    }
  }
  return faults;
}
