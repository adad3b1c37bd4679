import { ErrorCode, describeConfigsApi, incrementalAlterConfigsApi } from "@mantou/protocol";
import { Actor } from "../actor.ts";
import { refused } from "../clients/refusals.ts";

const TOPIC_RESOURCE = 2;
const SET = 0;
/** A setting that changes nothing else in a run. */
const KNOB = "max.message.bytes";

/** Changes a setting of the standing topics, and checks that it is what was acknowledged. */
export class KnobTurner extends Actor {
  readonly isWriter = true;
  /** The setting's value by topic as last acknowledged; undefined: an answer is missing. */
  private readonly knobs = new Map<string, string | undefined>();

  protected async run(): Promise<void> {
    while (this.isBusy) {
      const turns = this.prng.chance(1, 2);
      await this.patiently(() => (turns ? this.turnKnob() : this.checkKnobs()));
      await this.pause(50, 800);
    }
    await this.untilDone(() => this.checkKnobs());
  }

  private async turnKnob(): Promise<void> {
    const topic = this.prng.pick([...this.world.standing.keys()]);
    const value = String(this.prng.between(100_000, 2_000_000));
    this.knobs.set(topic, undefined);
    const connection = await this.connected();
    const { responses } = await connection.ask(incrementalAlterConfigsApi, 1, {
      resources: [
        {
          resourceType: TOPIC_RESOURCE,
          resourceName: topic,
          configs: [{ name: KNOB, configOperation: SET, value }],
        },
      ],
      validateOnly: false,
    });
    const errorCode = responses[0]?.errorCode;
    if (errorCode === ErrorCode.NONE) this.knobs.set(topic, value);
    else refused(this.world, this.name, errorCode);
  }

  private async checkKnobs(): Promise<void> {
    const expected = [...this.knobs];
    const connection = await this.connected();
    const { results } = await connection.ask(describeConfigsApi, 4, {
      resources: expected.map(([resourceName]) => ({
        resourceType: TOPIC_RESOURCE,
        resourceName,
        configurationKeys: [KNOB],
      })),
    });
    for (const [index, [topic, value]] of expected.entries()) {
      const found = results[index]?.configs[0]?.value;
      if (value === undefined || found === value) continue;
      this.world.defect(`${this.name}: ${KNOB} of ${topic} is ${found}, acknowledged ${value}`);
    }
  }
}
