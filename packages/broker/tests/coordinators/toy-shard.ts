import type {
  CoordinatorEffects,
  CoordinatorRecord,
  CoordinatorShard,
  CoordinatorWrite,
  Moment,
  ReplayedBatch,
  TimerChange,
  TransactionMarker,
} from "@mantou/base";

/** What a toy shard can be asked. Keys and values are short texts. */
export type ToyCommand =
  | {
      readonly kind: "put";
      readonly key: string;
      readonly value: string;
      readonly producerId?: number;
    }
  | { readonly kind: "get"; readonly key: string }
  /** Answered when somebody puts the key. */
  | { readonly kind: "await"; readonly key: string }
  | {
      readonly kind: "putLater";
      readonly key: string;
      readonly value: string;
      readonly afterMs: number;
    }
  | { readonly kind: "cancel"; readonly key: string }
  | { readonly kind: "putAndRequest"; readonly key: string; readonly value: string }
  | { readonly kind: "large"; readonly bytes: number }
  | { readonly kind: "throw" };

const utf8 = new TextEncoder();
const text = new TextDecoder();

/** A map from keys to values, as a coordinator: enough to exercise every effect of a step. */
export class ToyShard implements CoordinatorShard<ToyCommand, string, string> {
  readonly values = new Map<string, string>();
  readonly markers: TransactionMarker[] = [];
  readonly replayed: ReplayedBatch[] = [];
  private readonly waiting: { readonly ticket: number; readonly key: string }[] = [];

  constructor(
    readonly partition: number,
    readonly leaderEpoch: number,
  ) {}

  replay({ key, value }: CoordinatorRecord, batch: ReplayedBatch): void {
    this.replayed.push(batch);
    if (text.decode(key) === "bad") throw new Error("no such record");
    if (value === null) this.values.delete(text.decode(key));
    else this.values.set(text.decode(key), text.decode(value));
  }

  replayMarker(marker: TransactionMarker): void {
    this.markers.push(marker);
  }

  loaded(_now: Moment): CoordinatorEffects<ToyCommand, string, string> {
    return this.effects({});
  }

  step(
    ticket: number | null,
    command: ToyCommand,
    now: Moment,
  ): CoordinatorEffects<ToyCommand, string, string> {
    const to = (reply: string) => (ticket === null ? [] : [{ ticket, reply }]);
    switch (command.kind) {
      case "get":
        return this.effects({ replies: to(this.values.get(command.key) ?? "none") });
      case "put":
        return this.put(command.key, command.value, to("put"), command.producerId);
      case "putAndRequest":
        return { ...this.put(command.key, command.value, to("put")), requests: [command.key] };
      case "await":
        if (ticket !== null) this.waiting.push({ ticket, key: command.key });
        return this.effects({});
      case "putLater": {
        const { key, value, afterMs } = command;
        const put = { kind: "put", key, value } as const;
        const timer = { kind: "set", key, dueMs: now.monotonicMs + afterMs, command: put } as const;
        return this.effects({ timers: [timer], replies: to("later") });
      }
      case "cancel":
        return this.effects({
          timers: [{ kind: "cancel", key: command.key }],
          replies: to("cancelled"),
        });
      case "large":
        return this.put("large", "x".repeat(command.bytes), to("put"));
      case "throw":
        this.values.set("half", "done");
        throw new Error("a defect");
    }
  }

  checkInvariants(): void {}

  private put(
    key: string,
    value: string,
    replies: { ticket: number; reply: string }[],
    producerId = -1,
  ): CoordinatorEffects<ToyCommand, string, string> {
    this.values.set(key, value);
    const woken = this.waiting.filter((waiter) => waiter.key === key);
    for (const waiter of woken) this.waiting.splice(this.waiting.indexOf(waiter), 1);
    const transaction = producerId < 0 ? null : { producerId, producerEpoch: 0 };
    return this.effects({
      writes: [{ records: [{ key: utf8.encode(key), value: utf8.encode(value) }], transaction }],
      replies: [...replies, ...woken.map(({ ticket }) => ({ ticket, reply: value }))],
    });
  }

  private effects(some: {
    readonly writes?: readonly CoordinatorWrite[];
    readonly timers?: readonly TimerChange<ToyCommand>[];
    readonly replies?: readonly { ticket: number; reply: string }[];
  }): CoordinatorEffects<ToyCommand, string, string> {
    return { writes: [], timers: [], requests: [], replies: [], ...some };
  }
}
