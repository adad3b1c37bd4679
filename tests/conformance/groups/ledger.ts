import type { GroupMember } from "./member.ts";

/**
 * What all members of a group have read together, against what there is: nothing may be missing,
 * and nothing may be read twice, except what a member had read and not committed when it was
 * killed or when its partition was taken away.
 */
export function faultsOf(
  members: readonly GroupMember[],
  ends: readonly number[],
  rereads = false,
): string[] {
  const faults: string[] = [];
  for (const [partition, end] of ends.entries()) {
    const reads = new Uint8Array(end);
    const excused = new Uint8Array(end);
    for (const member of members) {
      const committed = member.committed.get(partition) ?? 0;
      for (const range of member.reads) {
        if (range.partition !== partition) continue;
        for (let at = range.minOffset; at <= range.maxOffset && at < end; at += 1) {
          reads[at] = (reads[at] as number) + 1;
          if (at >= committed) excused[at] = 1;
        }
      }
    }
    for (let at = 0; at < end; at += 1) {
      if (reads[at] === 0) faults.push(`offset ${at} of partition ${partition} was never read`);
      else if ((reads[at] as number) > 1 && excused[at] === 0 && !rereads) {
        faults.push(`offset ${at} of partition ${partition} was read ${reads[at]} times`);
      }
    }
  }
  return faults.slice(0, 20);
}
