/** What one check of `doctor` has found. */
export interface Finding {
  readonly check: string;
  readonly status: "ok" | "warn" | "fail";
  readonly detail: string;
  readonly cause: string | null;
  readonly fix: string | null;
  readonly ms: number | null;
}

export const well = (check: string, detail: string, ms: number | null = null): Finding => ({
  check,
  status: "ok",
  detail,
  cause: null,
  fix: null,
  ms,
});

export const amiss = (
  status: "warn" | "fail",
  check: string,
  detail: string,
  why: { readonly cause: string; readonly fix: string },
): Finding => ({ check, status, detail, ...why, ms: null });

/** Clocks that differ by more make `--since` and retention surprising. */
const CLOCK_WARN_MS = 1000;
const CLOCK_FAIL_MS = 60_000;

/**
 * Compares a broker's clock with ours.
 * @param beforeMs our time before the question, `afterMs` after its answer.
 */
export function clockFinding(brokerMs: number, beforeMs: number, afterMs: number): Finding {
  // The answer was made somewhere in between.
  const offMs = brokerMs < beforeMs ? brokerMs - beforeMs : Math.max(0, brokerMs - afterMs);
  const detail = `the controller's clock is ${Math.abs(Math.round(offMs))} ms ${offMs < 0 ? "behind" : "ahead of"} ours`;
  if (Math.abs(offMs) < CLOCK_WARN_MS) return well("clock", detail);
  const status = Math.abs(offMs) < CLOCK_FAIL_MS ? "warn" : "fail";
  return amiss(status, "clock", detail, {
    cause: "one of the two machines does not keep its time",
    fix: "run an NTP client (chrony, systemd-timesyncd) on both",
  });
}

const DISK_WARN = 0.15;
const DISK_FAIL = 0.05;
/** Where a broker does not tell how large its volume is, only how much is free. */
const FREE_WARN_BYTES = 10 * 2 ** 30;
const FREE_FAIL_BYTES = 2 ** 30;

/** Judges the room on a broker's volume; null where the broker does not tell. */
export function diskFinding(
  node: number,
  directory: string,
  totalBytes: number,
  usableBytes: number,
  show: (bytes: number) => string,
): Finding | null {
  if (usableBytes < 0) return null;
  const isShare = totalBytes > 0;
  const share = usableBytes / totalBytes;
  const of = isShare ? ` of ${show(totalBytes)}` : "";
  const detail = `broker ${node}, ${directory}: ${show(usableBytes)}${of} free`;
  if (isShare ? share >= DISK_WARN : usableBytes >= FREE_WARN_BYTES) return well("disk", detail);
  const isFull = isShare ? share < DISK_FAIL : usableBytes < FREE_FAIL_BYTES;
  return amiss(isFull ? "fail" : "warn", "disk", detail, {
    cause: "the volume is almost full; a broker refuses records before it is",
    fix: "shorten retention (mantou config set topic NAME retention.ms=...), delete topics, or add space",
  });
}

const FILES_WARN = 4096;

/** Judges the limit of open files in this shell, which a broker started from it would have. */
export function fileLimitFinding(limitsText: string | null): Finding | null {
  const match = /^Max open files\s+(\d+|unlimited)/m.exec(limitsText ?? "");
  if (match === null) return null;
  const limit = match[1] === "unlimited" ? Infinity : Number(match[1]);
  const detail = `${match[1]} open files are allowed here`;
  if (limit >= FILES_WARN) return well("limits", detail);
  return amiss("warn", "limits", detail, {
    cause: "a broker keeps files and connections open; it would run out of them",
    fix: "raise it: ulimit -n 100000, or LimitNOFILE= in the systemd unit",
  });
}

/** APIs that daily work needs, by number, and what for. */
const NEEDED: readonly (readonly [number, string, number, string])[] = [
  [0, "Produce", 3, "sending records"],
  [1, "Fetch", 4, "reading records"],
  [2, "ListOffsets", 1, "finding records by place and time"],
  [3, "Metadata", 1, "finding leaders"],
];

/** Judges the versions that a broker has. */
export function versionFinding(
  ranges: ReadonlyMap<number, { readonly min: number; readonly max: number }>,
): Finding {
  const missing = NEEDED.filter(([key, , least]) => (ranges.get(key)?.max ?? -1) < least);
  if (missing.length === 0) {
    const fetch = ranges.get(1);
    return well("versions", `${ranges.size} APIs, Fetch ${fetch?.min} to ${fetch?.max}`);
  }
  const names = missing.map(([, name, , what]) => `${name} (${what})`).join(", ");
  return amiss("fail", "versions", `too old or absent: ${names}`, {
    cause: "the listener belongs to a controller, or the broker is older than Kafka 0.11",
    fix: "use the address of a broker's client listener",
  });
}

/** Whether an address can only be reached from its own machine or network. */
export function addressScope(host: string): "loopback" | "private" | "unspecified" | "public" {
  if (host === "localhost" || host.startsWith("127.") || host === "::1") return "loopback";
  if (host === "0.0.0.0" || host === "::") return "unspecified";
  const isPrivate =
    host.startsWith("10.") ||
    host.startsWith("192.168.") ||
    /^172\.(1[6-9]|2\d|3[01])\./.test(host) ||
    /^f[cd]/i.test(host);
  return isPrivate ? "private" : "public";
}

/** Why an advertised address may not be reachable, and what to do. */
export function advertisedAdvice(
  node: number,
  host: string,
  bootstrapHost: string,
): { readonly cause: string; readonly fix: string } {
  const scope = addressScope(host);
  const fix = `on broker ${node}: --set advertised.listeners=PLAINTEXT://${bootstrapHost}:PORT, a name and port that clients reach`;
  if (scope === "loopback" && addressScope(bootstrapHost) !== "loopback") {
    return {
      cause: `broker ${node} advertises a loopback address: every client would ask itself`,
      fix,
    };
  }
  if (scope === "private" && addressScope(bootstrapHost) === "public") {
    return { cause: `broker ${node} advertises a private address`, fix };
  }
  if (scope === "unspecified") {
    return { cause: `broker ${node} advertises an address that means "any"`, fix };
  }
  return {
    cause: `broker ${node} is down, or a firewall or a missing DNS name is between`,
    fix: `start broker ${node}, or ${fix}`,
  };
}
