/**
 * The partition of an internal topic that coordinates a group or a transactional id: Java's
 * String.hashCode (over UTF-16 units) without its sign, by the partitions. Clients never compute
 * it, but whoever reads the topic does, and so does an Apache broker that takes over the data.
 */
export function coordinatorPartition(key: string, partitionCount: number): number {
  let hash = 0;
  for (let index = 0; index < key.length; index += 1) {
    hash = (Math.imul(hash, 31) + key.charCodeAt(index)) | 0;
  }
  // The one value whose sign cannot be dropped counts as 0.
  return (hash === -0x8000_0000 ? 0 : Math.abs(hash)) % partitionCount;
}
