import { guard } from "./children.ts";

/** Starts to count the system calls of a process, all threads; `stop` gives their number. */
export function countSyscalls(pid: number): { readonly stop: () => Promise<number> } {
  if (Bun.which("perf") === null) throw new Error("perf is not installed; leave syscalls rows out");
  const command = ["perf", "stat", "-x,", "-e", "raw_syscalls:sys_enter", "-p", String(pid)];
  const child = guard(Bun.spawn(command, { stdio: ["ignore", "ignore", "pipe"] }));
  const text = new Response(child.stderr).text();
  return {
    stop: async () => {
      child.kill("SIGINT");
      await child.exited;
      const count = parseSyscalls(await text);
      if (count === null) throw new Error(`perf could not count system calls: ${await text}`);
      return count;
    },
  };
}

/** The count in what `perf stat -x,` writes, or null. */
export function parseSyscalls(text: string): number | null {
  const found = /^(\d+),[^,]*,raw_syscalls:sys_enter,/m.exec(text)?.[1];
  return found === undefined ? null : Number(found);
}
