import type { Client, TopicMetadata } from "@mantou/client";
import { usage } from "./failure.ts";
import { placeOf, type Place } from "./record-range.ts";
import { existingTopics } from "./topics.ts";
import { integerOf, type Values } from "./values.ts";

/** What a reset would do to one partition. */
export interface OffsetChange {
  readonly topic: string;
  readonly partition: number;
  /** null: nothing was committed. */
  readonly from: number | null;
  readonly to: number;
  /** Where the wanted offset lay outside of the partition and was moved to its edge. */
  readonly note: string | null;
}

type Target =
  | { readonly kind: "place"; readonly place: Place }
  | { readonly kind: "shift"; readonly by: number };

interface Wanted {
  readonly topic: string;
  readonly partition: number;
  readonly target: Target;
}

/** The changes that the flags of `group reset` ask for. Throws Failure. */
export async function planReset(
  client: Client,
  groupId: string,
  values: Values,
  nowMs: number,
): Promise<OffsetChange[]> {
  const committed = new Map(
    (await client.groups.offsets(groupId)).map((entry) => [
      `${entry.topic} ${entry.partition}`,
      entry,
    ]),
  );
  requireOnePlace(values);
  const wanted = values.has("from-file")
    ? await fromFile(values.text("from-file") ?? "")
    : await fromFlags(client, values, [...committed.values()], nowMs);
  const changes: OffsetChange[] = [];
  for (const { topic, partition, target } of wanted) {
    const from = committed.get(`${topic} ${partition}`)?.offset ?? null;
    changes.push({
      topic,
      partition,
      from,
      ...(await resolve(client, topic, partition, target, from)),
    });
  }
  return changes;
}

async function resolve(
  client: Client,
  topic: string,
  partition: number,
  target: Target,
  from: number | null,
): Promise<{ to: number; note: string | null }> {
  const [{ offset: earliest }, { offset: latest }] = await Promise.all([
    client.admin.listOffset(topic, partition, "earliest"),
    client.admin.listOffset(topic, partition, "latest"),
  ]);
  const within = (offset: number): { to: number; note: string | null } => {
    if (offset < earliest) return { to: earliest, note: `${offset} is before the start` };
    return offset > latest
      ? { to: latest, note: `${offset} is beyond the end` }
      : { to: offset, note: null };
  };
  if (target.kind === "shift") {
    if (from === null) return { to: earliest, note: "nothing was committed" };
    return within(from + target.by);
  }
  const { place } = target;
  switch (place.kind) {
    case "earliest":
      return { to: earliest, note: null };
    case "latest":
      return { to: latest, note: null };
    case "offset":
      return within(place.offset);
    case "before-end":
      return within(latest - place.count);
    case "time": {
      const { timestamp } = place;
      const { offset } = await client.admin.listOffset(topic, partition, { timestamp });
      return offset < 0
        ? { to: latest, note: "no record is that late" }
        : { to: offset, note: null };
    }
  }
}

/** One line per partition: topic,partition,offset – the form of Kafka's own tool. */
async function fromFile(path: string): Promise<Wanted[]> {
  const text = path === "-" ? await Bun.stdin.text() : await Bun.file(path).text();
  const wanted: Wanted[] = [];
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === "" || line.startsWith("#")) continue;
    const where = `${path}:${index + 1}`;
    const [topic, partition, offset, ...rest] = line.split(",").map((word) => word.trim());
    if (topic === undefined || partition === undefined || offset === undefined || rest.length > 0) {
      throw usage(`${where}: expected topic,partition,offset`);
    }
    const place: Place = {
      kind: "offset",
      offset: integerOf(`${where}: offset`, offset, 0, Number.MAX_SAFE_INTEGER),
    };
    wanted.push({
      topic,
      partition: integerOf(`${where}: partition`, partition, 0, 1_000_000),
      target: { kind: "place", place },
    });
  }
  return wanted;
}

async function fromFlags(
  client: Client,
  values: Values,
  committed: readonly { readonly topic: string; readonly partition: number }[],
  nowMs: number,
): Promise<Wanted[]> {
  const target = targetOf(values, nowMs);
  const chosen = values.list("topic");
  if (chosen.length === 0) {
    if (committed.length === 0) throw usage("the group has committed nothing", "say which --topic");
    return committed.map(({ topic, partition }) => ({ topic, partition, target }));
  }
  const wanted: Wanted[] = [];
  for (const word of chosen) {
    const [name = "", list] = word.split(":");
    const [topic] = (await existingTopics(client, [name])) as [TopicMetadata];
    for (const partition of partitionsOf(word, list, topic)) {
      wanted.push({ topic: name, partition, target });
    }
  }
  return wanted;
}

function partitionsOf(word: string, list: string | undefined, topic: TopicMetadata): number[] {
  const count = topic.partitions.length;
  if (list === undefined) return topic.partitions.map(({ partition }) => partition);
  return list.split(",").map((item) => integerOf(`--topic ${word}: partition`, item, 0, count - 1));
}

/** Two places would leave one of them without effect, and a file names its partitions itself. */
function requireOnePlace(values: Values): void {
  const given = ["to", "by", "from-file"].filter((flag) => values.has(flag));
  if (given.length === 0) {
    throw usage("say where to: --to PLACE, --by COUNT or --from-file FILE");
  }
  if (values.has("from-file") && values.has("topic")) given.push("topic");
  if (given.length > 1) {
    const names = given.map((flag) => `--${flag}`).join(" and ");
    throw usage(`${names} do not go together`, "one of --to, --by and --from-file");
  }
}

function targetOf(values: Values, nowMs: number): Target {
  const to = values.text("to");
  const by = values.text("by");
  if (by !== null) {
    return { kind: "shift", by: integerOf("--by", by, -1e15, 1e15) };
  }
  // A script's empty variable must not become a reset to the start.
  if (to === null || to === "")
    throw usage("--to has no place", "earliest, latest, 42, -10 or @TIME");
  return { kind: "place", place: placeOf(to, nowMs, "--to") };
}
