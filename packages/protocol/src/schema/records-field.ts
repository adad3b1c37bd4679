/** A range of bytes, absolute in the decoded buffer. */
export interface Span {
  readonly offset: number;
  readonly length: number;
}

/** A pinned range of a segment file (see the `Locate` table of the engine). */
export interface FileRange {
  readonly pin: number;
  readonly position: number;
  readonly length: number;
}

/**
 * A `records` field. Decode gives Span or null; encode takes bytes, a file range or null.
 * A Span cannot be encoded: it says nothing about the buffer that it is a part of.
 */
export type Records = Span | Uint8Array | FileRange | null;
