import type { ConsumedRecord, Delivery } from "@mantou/client";

/** A value that exists once in the world: who sent it, and its place in that sender's order. */
export interface Sent {
  readonly producer: number;
  readonly sequence: number;
}

const decoder = new TextDecoder();

const name = ({ producer, sequence }: Sent): string => `${producer}:${sequence}`;

/** @param padding characters behind the name, so that records have sizes as in life. */
export const encodeSent = (sent: Sent, padding = 0): string =>
  `${name(sent)}:${"x".repeat(padding)}`;

export function decodeSent(value: Uint8Array | null): Sent {
  const [producer, sequence] = decoder.decode(value ?? new Uint8Array(0)).split(":");
  return { producer: Number(producer), sequence: Number(sequence) };
}

/**
 * What was promised, held against what is there. Anomalies by the names of the Kafka workload of
 * Jepsen: lost-write, duplicate, inconsistent-offsets, nonmonotonic-send.
 */
export class AcknowledgedLog {
  /** Acknowledged values by partition and offset. */
  private readonly acknowledged = new Map<number, Map<number, string>>();
  /** Values that a consumer has been shown. */
  private readonly shown = new Map<number, Map<number, string>>();
  readonly anomalies: string[] = [];
  acknowledgedCount = 0;

  acknowledge(sent: Sent, delivery: Delivery): void {
    this.acknowledgedCount += 1;
    this.put(this.acknowledged, delivery.partition, delivery.offset, name(sent), "ack");
  }

  show(record: ConsumedRecord): void {
    const value = name(decodeSent(record.value));
    this.put(this.shown, record.partition, record.offset, value, "poll");
  }

  /** Holds a partition's whole content, in order, against all that was promised about it. */
  check(partition: number, records: readonly ConsumedRecord[]): void {
    const there = new Map<number, string>();
    const seen = new Map<string, number>();
    const latest = new Map<number, number>();
    let expectedOffset = records[0]?.offset ?? 0;
    for (const record of records) {
      const sent = decodeSent(record.value);
      const value = name(sent);
      const where = `${partition}@${record.offset}`;
      if (record.offset !== expectedOffset) this.anomalies.push(`gap before ${where}`);
      expectedOffset = record.offset + 1;
      const first = seen.get(value);
      if (first !== undefined) this.anomalies.push(`duplicate ${value} at ${first} and ${where}`);
      seen.set(value, record.offset);
      const before = latest.get(sent.producer) ?? -1;
      if (sent.sequence < before) {
        this.anomalies.push(`nonmonotonic-send ${value} after ${before} at ${where}`);
      }
      latest.set(sent.producer, sent.sequence);
      there.set(record.offset, value);
    }
    this.compare("lost-write", partition, this.acknowledged, there);
    this.compare("taken back after a consumer saw it", partition, this.shown, there);
  }

  private compare(
    anomaly: string,
    partition: number,
    promised: Map<number, Map<number, string>>,
    there: ReadonlyMap<number, string>,
  ): void {
    for (const [offset, value] of promised.get(partition) ?? []) {
      const found = there.get(offset);
      if (found !== value) {
        this.anomalies.push(`${anomaly}: ${value} at ${partition}@${offset}, found ${found}`);
      }
    }
  }

  private put(
    into: Map<number, Map<number, string>>,
    partition: number,
    offset: number,
    value: string,
    how: string,
  ): void {
    let offsets = into.get(partition);
    if (offsets === undefined) {
      offsets = new Map();
      into.set(partition, offsets);
    }
    const before = offsets.get(offset);
    if (before !== undefined && before !== value) {
      this.anomalies.push(`inconsistent-offsets (${how}): ${before}, ${value} at ${offset}`);
    }
    offsets.set(offset, value);
  }
}
