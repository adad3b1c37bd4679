import type { Run } from "../command.ts";
import { usage } from "../failure.ts";
import { didYouMean } from "../nearest.ts";

/**
 * The scripts ask `mantou __complete` for everything, so that they never grow old. What they get is
 * text: names of groups are anybody's to choose, and no shell may read them as anything else.
 */
const SCRIPTS: Readonly<Record<string, string>> = {
  bash: `# bash completion for mantou
_mantou() {
  local line
  COMPREPLY=()
  while IFS= read -r line; do
    COMPREPLY+=("$(printf '%q' "\${line%%$'\\t'*}")")
  done < <("\${COMP_WORDS[0]}" __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _mantou mantou
`,
  zsh: `#compdef mantou
_mantou() {
  local -a found
  local line
  while IFS=$'\\t' read -r name about; do
    found+=("\${name//:/\\\\:}\${about:+:$about}")
  done < <("\${words[1]}" __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)
  if (( \${#found} )); then _describe 'mantou' found; else _files; fi
}
compdef _mantou mantou
`,
  fish: `# fish completion for mantou
function __mantou_complete
    set -l words (commandline -opc) (commandline -ct)
    $words[1] __complete -- $words[2..-1] 2>/dev/null
end
complete -c mantou -f -a '(__mantou_complete)'
complete -c mantou -n '__fish_seen_subcommand_from check inspect import' -F
`,
};

export const run: Run = async ({ values, output }) => {
  const shell = values.positional(0);
  const script = SCRIPTS[shell];
  if (script === undefined) {
    const shells = Object.keys(SCRIPTS);
    throw usage(
      `no completion for ${JSON.stringify(shell)}`,
      didYouMean(shell, shells) ?? shells.join(", "),
    );
  }
  await output.write(script);
  return null;
};
