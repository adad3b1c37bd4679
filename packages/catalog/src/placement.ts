/**
 * Places `replicationFactor` replicas of each of `partitions` partitions on different brokers:
 * leaders go round robin from `start` on, and the followers of a leader are shifted by one more
 * with each lap, so that the load of a lost broker spreads over all others.
 *
 * @param nodeIds brokers to use, at least `replicationFactor` of them.
 * @param start what was placed before; only its remainder counts.
 * @returns node ids, `replicationFactor` for each partition, the preferred leader first.
 */
export function placeReplicas(
  nodeIds: readonly number[],
  partitions: number,
  replicationFactor: number,
  start: number,
): Int32Array {
  const placed = new Int32Array(partitions * replicationFactor);
  const nodes = nodeIds.length;
  for (let partition = 0; partition < partitions; partition += 1) {
    const turn = start + partition;
    const lap = Math.floor(turn / nodes);
    const at = partition * replicationFactor;
    placed[at] = nodeIds[turn % nodes] as number;
    for (let follower = 1; follower < replicationFactor; follower += 1) {
      const step = 1 + ((lap + follower - 1) % (nodes - 1));
      placed[at + follower] = nodeIds[(turn + step) % nodes] as number;
    }
  }
  return placed;
}
