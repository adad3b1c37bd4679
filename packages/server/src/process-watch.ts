import { readFileSync, readdirSync } from "node:fs";
import { LatencyHistogram } from "@mantou/broker";
import type { ProcessFigures } from "@mantou/broker";

/** What was built: told by the one who starts the server. */
export interface Build {
  readonly version: string;
  readonly commit: string;
  readonly addon: string;
}

/** Time between two looks at the clock. */
const LOOK_MS = 100;

/**
 * Watches the process for /metrics: how late the event loop is, and collections of garbage. Bun
 * tells neither, so a timer looks at the clock, and an object that nobody holds tells of its end.
 */
export class ProcessWatch {
  private readonly lateness = new LatencyHistogram("fine");
  private readonly stretches = new LatencyHistogram("fine");
  private collections = 0;
  private latestMs = 0;
  private dueMs = 0;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private readonly sentinels = new FinalizationRegistry<null>(() => this.collected());

  /** @param takeLongestMs the broker's longest tick since it was last asked. */
  constructor(
    private readonly build: Build,
    private readonly takeLongestMs: () => number,
  ) {}

  start(): void {
    this.sentinels.register({}, null);
    this.arm();
  }

  stop(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }

  figures(): ProcessFigures {
    const { user, system } = process.cpuUsage();
    const memory = process.memoryUsage();
    return {
      ...this.build,
      bun: Bun.version,
      startedSeconds: Math.round(performance.timeOrigin) / 1000,
      cpuSeconds: (user + system) / 1e6,
      residentBytes: memory.rss,
      // Bun counts what buffers hold as heap, the arena among them.
      heapBytes: Math.max(memory.heapUsed - memory.arrayBuffers, 0),
      openFiles: openFiles(),
      openFilesMax: figureIn("/proc/self/limits", /^Max open files\s+(\d+)/m),
      threads: figureIn("/proc/self/status", /^Threads:\s+(\d+)/m),
      loopLateness: this.lateness.view(),
      collections: this.collections,
      collectionStretch: this.stretches.view(),
    };
  }

  private arm(): void {
    this.dueMs = performance.now() + LOOK_MS;
    this.timer = setTimeout(() => {
      const lateMs = Math.max(performance.now() - this.dueMs, 0);
      this.lateness.observeMs(lateMs);
      this.latestMs = Math.max(this.latestMs, lateMs);
      this.arm();
    }, LOOK_MS);
    this.timer.unref();
  }

  private collected(): void {
    this.collections += 1;
    this.stretches.observeMs(Math.max(this.latestMs, this.takeLongestMs()));
    this.latestMs = 0;
    this.sentinels.register({}, null);
  }
}

function openFiles(): number | null {
  try {
    // One of them is the listing's own.
    return readdirSync("/proc/self/fd").length - 1;
  } catch {
    return null;
  }
}

/** A number in one of the kernel's texts about this process; null where there is none. */
function figureIn(path: string, pattern: RegExp): number | null {
  try {
    const match = pattern.exec(readFileSync(path, "utf8"));
    return match === null ? null : Number(match[1]);
  } catch {
    return null;
  }
}
