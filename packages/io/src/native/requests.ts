import { IoError } from "../ports.ts";
import type { Addon, Completion } from "./addon.ts";

/** An answer, and the bytes that came with it. */
export interface Settled {
  readonly completion: Completion;
  readonly bytes: Uint8Array | null;
}

interface Waiting {
  resolve(settled: Settled): void;
  reject(error: IoError): void;
}

const NO_REQUEST = 0;

/** Cold calls on their way: their numbers, and who waits for each. */
export class Requests {
  private readonly waiting = new Map<number, Waiting>();
  private last = 0;

  constructor(
    private readonly addon: Addon,
    private readonly engine: number,
    private readonly report: (text: string) => void,
  ) {}

  /** Makes a call with a fresh number; the promise is settled by {@link settle}. */
  start<T>(call: (request: number) => void, answer: (settled: Settled) => T): Promise<T> {
    return new Promise<Settled>((resolve, reject) => {
      const request = ++this.last;
      this.waiting.set(request, { resolve, reject });
      try {
        call(request);
      } catch (error) {
        this.waiting.delete(request);
        const message = error instanceof Error ? error.message : String(error);
        reject(new IoError("INVALID", message));
      }
    }).then(answer);
  }

  /** Fetches every completion that a drain has come to, and settles its promise. */
  settle(): void {
    for (;;) {
      const completion = this.addon.takeCompletion(this.engine);
      if (completion === null) return;
      const { request, code, message, bytesLength } = completion;
      if (request === NO_REQUEST) {
        this.report(message ?? "");
        continue;
      }
      let bytes: Uint8Array | null = null;
      if (bytesLength !== undefined) {
        bytes = new Uint8Array(bytesLength);
        this.addon.takeBytes(this.engine, request, bytes);
      }
      const waiting = this.waiting.get(request);
      this.waiting.delete(request);
      if (waiting === undefined) continue;
      if (code === undefined) waiting.resolve({ completion, bytes });
      else waiting.reject(new IoError(code, message ?? code));
    }
  }
}
