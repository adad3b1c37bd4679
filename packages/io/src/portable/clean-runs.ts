import type { LogId } from "@mantou/base";
import type { Codecs } from "@mantou/protocol";
import {
  CLEAN_ENTRY_BYTES,
  type CleanOutcome,
  type CleanRequest,
  type CleanerStats,
} from "../ports.ts";
import { cleanLog } from "./clean-log.ts";
import type { LogCalls } from "./log-calls.ts";

/** Runs of compaction, each in one step at its place among the log's calls, and their totals. */
export class CleanRuns {
  private runsTotal = 0;
  private failuresTotal = 0;
  private readBytesTotal = 0;
  private writtenBytesTotal = 0;
  private lastMapBytes = 0;

  constructor(
    private readonly calls: LogCalls,
    private readonly codecs: Codecs,
  ) {}

  clean(logId: LogId, request: CleanRequest): Promise<CleanOutcome> {
    return this.calls.onLog(logId, ({ data, spec }) => {
      this.runsTotal += 1;
      this.failuresTotal += 1;
      const outcome = cleanLog(data, request, spec.config.segmentBytes, this.codecs);
      this.failuresTotal -= 1;
      this.readBytesTotal += outcome.readBytes;
      this.writtenBytesTotal += outcome.writtenBytes;
      this.lastMapBytes = outcome.keys * CLEAN_ENTRY_BYTES;
      return outcome;
    });
  }

  stats(): CleanerStats {
    const { runsTotal, failuresTotal, readBytesTotal, writtenBytesTotal, lastMapBytes } = this;
    // This engine has no clock that could tell how long a run took.
    return {
      runsTotal,
      failuresTotal,
      readBytesTotal,
      writtenBytesTotal,
      lastRunMs: 0,
      lastMapBytes,
    };
  }
}
