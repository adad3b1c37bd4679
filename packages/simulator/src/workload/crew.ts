import type { Prng } from "@mantou/base";
import type { Actor, World } from "../actor.ts";
import type { Admin, StandingTopic } from "./admin.ts";
import { AssignedConsumer } from "./consumer.ts";
import { ClassicMember } from "./classic-member.ts";
import { ConsumerMember } from "./consumer-member.ts";
import { SESSION_MS } from "./group-member.ts";
import { COPIES, Copier } from "./copier.ts";
import { KnobTurner } from "./knob-turner.ts";
import { PlainProducer } from "./plain-producer.ts";
import { IdempotentProducer } from "./producer.ts";
import { TransactionalProducer } from "./transactional-producer.ts";
import { Trimmer } from "./trimmer.ts";

/** The broker's settings in a run: bounds low enough to be met. */
export const SETTINGS: Readonly<Record<string, string>> = {
  "num.partitions": "2",
  "max.incremental.fetch.session.cache.slots": "3",
  "log.retention.ms": "-1",
  // Coordinators' logs are compacted as well, under their feet.
  "log.cleaner.backoff.ms": "400",
  "log.cleaner.min.cleanable.ratio": "0.01",
  "log.cleaner.max.compaction.lag.ms": "600",
  "offsets.topic.num.partitions": "2",
  "offsets.topic.replication.factor": "1",
  "transaction.state.log.num.partitions": "2",
  "transaction.state.log.replication.factor": "1",
  "transaction.state.log.min.isr": "1",
  "transaction.abort.timed.out.transaction.cleanup.interval.ms": "500",
  "group.initial.rebalance.delay.ms": "100",
  "group.min.session.timeout.ms": "100",
  "group.consumer.min.session.timeout.ms": "100",
  "group.consumer.session.timeout.ms": String(SESSION_MS),
  "group.consumer.min.heartbeat.interval.ms": "50",
  "group.consumer.heartbeat.interval.ms": "500",
};

export const STANDING_TOPICS: readonly StandingTopic[] = [
  { name: "plain", partitions: 2, configs: {} },
  { name: "small", partitions: 1, configs: { "segment.bytes": "1048576" } },
  { name: "compacted", partitions: 1, configs: { "cleanup.policy": "compact" } },
  { name: COPIES, partitions: 2, configs: {} },
  { name: "trimmed", partitions: 1, configs: {} },
];

/** Who is at work in a run. New workloads are added here. */
export function crew(world: World, admin: Admin, prng: Prng): Actor[] {
  const actors: Actor[] = [];
  const seed = (): number => prng.u32();
  /** An actor that may crash, with whoever follows it. */
  const mortal = (name: string, make: (name: string, seed: number) => Actor): void => {
    const born = (life: number, ownSeed: number): Actor => {
      const actor = make(life === 0 ? name : `${name}.${life}`, ownSeed);
      actor.successor = (next) => born(life + 1, next);
      return actor;
    };
    actors.push(born(0, seed()));
  };
  const producers = prng.between(1, 3);
  for (let index = 0; index < producers; index += 1) {
    mortal(`producer-${index}`, (name, own) => new IdempotentProducer(world, name, own));
  }
  const consumers = prng.between(2, 4);
  for (let index = 0; index < consumers; index += 1) {
    mortal(`consumer-${index}`, (name, own) => new AssignedConsumer(world, name, own));
  }
  if (prng.chance(2, 3)) {
    const members = prng.between(1, 3);
    for (let index = 0; index < members; index += 1) {
      const make = (name: string, own: number) => new ClassicMember(world, name, own, "classic");
      mortal(`classic-${index}`, make);
    }
  }
  if (prng.chance(2, 3)) {
    const members = prng.between(1, 3);
    for (let index = 0; index < members; index += 1) {
      const make = (name: string, own: number) => new ConsumerMember(world, name, own, "modern");
      mortal(`modern-${index}`, make);
    }
  }
  if (prng.chance(2, 3)) {
    const count = prng.between(1, 3);
    for (let index = 0; index < count; index += 1) {
      const id = `tx-${index}`;
      mortal(`transactional-${index}`, (name, own) => {
        return new TransactionalProducer(world, name, own, id);
      });
    }
  }
  if (prng.chance(1, 2)) mortal("copier", (name, own) => new Copier(world, name, own, "copier"));
  const everything = () => [...world.standing.values(), ...admin.passing];
  actors.push(new PlainProducer(world, "plain-producer", seed(), everything));
  actors.push(new KnobTurner(world, "knob-turner", seed()), new Trimmer(world, "trimmer", seed()));
  return actors;
}
