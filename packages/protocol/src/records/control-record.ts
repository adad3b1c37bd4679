import { BatchFault, RecordsError } from "./records-error.ts";

/** Types of control records that readers act on; unknown ones are skipped. */
export const ControlType = {
  ABORT: 0,
  COMMIT: 1,
  LEADER_CHANGE: 2,
  SNAPSHOT_HEADER: 3,
  SNAPSHOT_FOOTER: 4,
  KRAFT_VERSION: 5,
  KRAFT_VOTERS: 6,
} as const;

/** The type in a control record's key. Throws RecordsError where it is too short. */
export function controlType(key: Uint8Array | null): number {
  if (key === null || key.length < 4) {
    throw new RecordsError(BatchFault.RECORDS, "a control record has no type");
  }
  return ((key[2] as number) << 8) | (key[3] as number);
}

/** Key and value of a transaction marker, the one record of its control batch. */
export function transactionMarker(
  committed: boolean,
  coordinatorEpoch: number,
): { readonly key: Uint8Array; readonly value: Uint8Array } {
  const value = new Uint8Array(6);
  new DataView(value.buffer).setInt32(2, coordinatorEpoch);
  return {
    key: Uint8Array.of(0, 0, 0, committed ? ControlType.COMMIT : ControlType.ABORT),
    value,
  };
}
