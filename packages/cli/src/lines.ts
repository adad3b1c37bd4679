const NEWLINE = 10;

/** A line longer than this is no line. */
export const LINE_BYTES_MAX = 64 * 1024 * 1024;

/** Cuts a stream at its newlines, which are left out. The last line needs none. */
export async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array[]> {
  let rest: Uint8Array[] = [];
  let restBytes = 0;
  for await (const chunk of stream) {
    const lines: Uint8Array[] = [];
    let at = 0;
    for (;;) {
      const end = chunk.indexOf(NEWLINE, at);
      if (end < 0) break;
      const piece = chunk.subarray(at, end);
      lines.push(rest.length === 0 ? piece : Buffer.concat([...rest, piece]));
      rest = [];
      restBytes = 0;
      at = end + 1;
    }
    if (at < chunk.length) {
      // A copy: the runtime may use the chunk again.
      rest.push(chunk.slice(at));
      restBytes += chunk.length - at;
      if (restBytes > LINE_BYTES_MAX)
        throw new Error(`a line is longer than ${LINE_BYTES_MAX} bytes`);
    }
    if (lines.length > 0) yield lines;
  }
  if (rest.length > 0) yield [Buffer.concat(rest)];
}
