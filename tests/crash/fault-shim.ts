import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const compiler = Bun.which("cc");

/** Why the shim cannot be had here, or null. */
export const shimMissing: string | null =
  process.platform !== "linux"
    ? "LD_PRELOAD faults need Linux"
    : compiler === null
      ? "no C compiler (cc)"
      : null;

/** A disk that fails on command, for one process: see `fault-shim.c`. */
export class FaultShim {
  readonly environment: Readonly<Record<string, string>>;
  private readonly control: string;

  /**
   * Compiles the shim into `folder`. Throws where that fails.
   * @param match part of the path of the files whose calls shall fail.
   */
  constructor(folder: string, match: string) {
    const library = join(folder, "fault-shim.so");
    const source = join(import.meta.dir, "fault-shim.c");
    const flags = ["-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"];
    const compiled = Bun.spawnSync([compiler ?? "cc", ...flags]);
    if (!compiled.success) throw new Error(`${source}: ${compiled.stderr.toString()}`);
    this.control = join(folder, "control");
    mkdirSync(this.control);
    this.environment = {
      LD_PRELOAD: library,
      FAULT_CONTROL: this.control,
      FAULT_MATCH: match,
    };
  }

  /** The next flush of a matching file fails. */
  failNextSync(): void {
    writeFileSync(join(this.control, "sync-once"), "");
  }

  /** Whether that flush has come. */
  get syncHasFailed(): boolean {
    return !existsSync(join(this.control, "sync-once"));
  }

  /** The next write to a matching file fails. */
  failNextWrite(): void {
    writeFileSync(join(this.control, "write-once"), "");
  }

  /** Whether that write has come. */
  get writeHasFailed(): boolean {
    return !existsSync(join(this.control, "write-once"));
  }

  failReads(): void {
    writeFileSync(join(this.control, "read"), "");
  }

  healReads(): void {
    rmSync(join(this.control, "read"));
  }
}
