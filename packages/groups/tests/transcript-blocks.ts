/** Carries out one command of a transcript, and gives the lines that were said on it. */
interface Stage {
  run(command: string): string[];
}

/**
 * Plays the blocks of a transcript in order on one stage: commands and comments, `----`, and what
 * was said. Returns the same text with what is said now; a block of comments alone stays as it is.
 */
export function replayBlocks(stage: Stage, text: string): string {
  const blocks = text.trimEnd().split(/\n\n+/);
  return `${blocks.map((block) => replayBlock(stage, block)).join("\n\n")}\n`;
}

function replayBlock(stage: Stage, block: string): string {
  const lines = block.split("\n");
  const end = lines.indexOf("----");
  const head = end === -1 ? lines : lines.slice(0, end);
  const commands = head.filter((line) => !line.startsWith("#") && line.trim() !== "");
  if (commands.length === 0) return head.join("\n");
  const words = commands.flatMap((command) => stage.run(command));
  return [...head, "----", ...(words.length > 0 ? words : ["ok"])].join("\n");
}
