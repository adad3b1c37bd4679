import type { FlagSpec } from "./command.ts";
import type { Values } from "./values.ts";

/** Flags that kcat's users type without thinking. */
export const TOPIC_FLAG: FlagSpec = {
  name: "topic",
  short: "t",
  value: "TOPIC",
  about: "the topic, in kcat's way",
};
export const JSON_FLAG: FlagSpec = { name: "json", short: "J", about: "as -o ndjson" };

/** What kcat's `-o` takes, which is a place and no format. */
const PLACE = /^(beginning|end|stored|earliest|latest|-?\d+|@.+)$/;

/** `-t TOPIC -o -10 -J` as `TOPIC --offset -10 -o ndjson`. */
export function kcatHabits(values: Values): Values {
  let adapted = values;
  const topic = values.text("topic");
  if (topic !== null) {
    adapted = adapted.withPositionals([...values.list("topic"), ...values.positionals]);
  }
  const output = values.text("output");
  if (output !== null && PLACE.test(output) && !values.has("offset")) {
    adapted = adapted.with("offset", output).with("output", null);
  }
  return values.has("json") ? adapted.with("output", "ndjson") : adapted;
}
