/** How a cell of a table is written on a terminal. */
export type CellKind = "text" | "count" | "bytes" | "time" | "duration" | "status";

export interface Column<Row> {
  readonly title: string;
  readonly of: (row: Row) => string | number | boolean | null;
  readonly kind?: CellKind;
  /** Only with `-o wide`. */
  readonly isWide?: boolean;
}

/** Rows and how to show them. */
export interface Table {
  readonly title?: string;
  readonly columns: readonly Column<never>[];
  readonly rows: readonly unknown[];
  /** Said, as a note, in place of a table without rows. */
  readonly empty?: string;
}

/** A table whose columns fit its rows. */
export const table = <Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  options: { readonly title?: string; readonly empty?: string } = {},
): Table => ({ rows, columns: columns as unknown as readonly Column<never>[], ...options });

/** What a command has found or done. */
export interface Answer {
  /** For programs: raw numbers, times in RFC 3339. */
  readonly data: unknown;
  /** For people: tables and lines, from top to bottom. */
  readonly view: readonly (Table | string)[];
  /** One per line with `-o ndjson`; `data` itself where it is a list, else one line, when absent. */
  readonly lines?: readonly unknown[];
  readonly warnings?: readonly string[];
  /** 0 when absent. */
  readonly exitCode?: 0 | 1 | 2 | 10;
}
