const MAX = Number.MAX_SAFE_INTEGER;

/** A signed 64-bit integer as a number, saturated to +-(2^53 - 1). */
export function getInt64(view: DataView, at: number): number {
  const value = view.getInt32(at) * 0x1_0000_0000 + view.getUint32(at + 4);
  return value > MAX ? MAX : value < -MAX ? -MAX : value;
}

/** Writes an integer of magnitude below 2^53 as a signed 64-bit integer. */
export function putInt64(view: DataView, at: number, value: number): void {
  const high = Math.floor(value / 0x1_0000_0000);
  view.setInt32(at, high);
  view.setUint32(at + 4, value - high * 0x1_0000_0000);
}
