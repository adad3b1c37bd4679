import type { ConsumedRecord } from "@mantou/client";
import { usage } from "./failure.ts";
import { plural } from "./humane.ts";
import type { RecordFormats } from "./record-json.ts";
import { encodePart, looseText } from "./record-text.ts";

/** A record as an expression sees it: what is not asked for is not decoded. */
class RecordScope {
  constructor(
    private readonly record: ConsumedRecord,
    private readonly formats: RecordFormats,
  ) {}

  get topic(): string {
    return this.record.topic;
  }

  get partition(): number {
    return this.record.partition;
  }

  get offset(): number {
    return this.record.offset;
  }

  /** Milliseconds since the epoch. */
  get timestamp(): number {
    return this.record.timestamp;
  }

  get key(): unknown {
    return shown(this.record.key, this.formats.key);
  }

  get value(): unknown {
    return shown(this.record.value, this.formats.value);
  }

  /** The value parsed as JSON; null for a tombstone. */
  get json(): unknown {
    return this.record.value === null
      ? null
      : (JSON.parse(looseText(this.record.value)) as unknown);
  }

  get headers(): Record<string, string | null> {
    return Object.fromEntries(
      this.record.headers.map(({ key, value }) => [key, value === null ? null : looseText(value)]),
    );
  }
}

function shown(bytes: Uint8Array | null, as: RecordFormats["key"]): unknown {
  if (bytes === null) return null;
  return as === "text" ? looseText(bytes) : encodePart(bytes, as).value;
}

/** Decides by a person's expression which records are shown. */
export class Where {
  /** Records about which the expression threw; they are left out. */
  failed = 0;
  firstError: string | null = null;

  private constructor(
    private readonly test: (r: RecordScope) => unknown,
    private readonly formats: RecordFormats,
  ) {}

  /** Compiles a TypeScript expression over `r`. Throws Failure. */
  static compile(expression: string, formats: RecordFormats): Where {
    try {
      const transpiler = new Bun.Transpiler({ loader: "ts", deadCodeElimination: false });
      const code = transpiler.transformSync(`globalThis.test = (r: any) => (${expression}\n);`);
      const body = `${code.replace("globalThis.test =", "return")}`;
      const make = new Function(body) as () => (r: RecordScope) => unknown;
      return new Where(make(), formats);
    } catch (error) {
      const why = error instanceof Error ? error.message.split("\n")[0] : String(error);
      throw usage(
        `--where ${JSON.stringify(expression)} is no TypeScript expression: ${why}`,
        "such as 'Number(r.value) > 40' or 'r.json.user.name === \"anna\"'",
      );
    }
  }

  accepts(record: ConsumedRecord): boolean {
    try {
      return Boolean(this.test(new RecordScope(record, this.formats)));
    } catch (error) {
      this.failed += 1;
      this.firstError ??= error instanceof Error ? error.message : String(error);
      return false;
    }
  }

  /** What to tell a person at the end, or null. */
  get warning(): string | null {
    if (this.failed === 0) return null;
    return `--where failed on ${plural(this.failed, "record")}, left out: ${this.firstError}`;
  }
}
