import type { CommandSpec, Run } from "../command.ts";
import { usage } from "../failure.ts";
import { helpText } from "../help.ts";
import { didYouMean } from "../nearest.ts";
import { matches } from "../parse.ts";
import { knownProperties } from "../settings.ts";
import { root } from "../tree.ts";

export const run: Run = async ({ values, output }) => {
  const words = values.positionals;
  if (words[0] === "properties") {
    await output.write(
      `Client properties for -X and profiles:\n  ${knownProperties().join("\n  ")}\n`,
    );
    return null;
  }
  const path: CommandSpec[] = [];
  let scope = root;
  for (const word of words) {
    const next = scope.commands?.find((command) => matches(command, word));
    if (next === undefined) {
      const names = (scope.commands ?? []).map((command) => command.name);
      throw usage(`${JSON.stringify(words.join(" "))} is no command`, didYouMean(word, names));
    }
    path.push(next);
    scope = next;
  }
  await output.write(helpText(root, path));
  return null;
};
