import type { CellKind, Column, Table } from "./answer.ts";
import { humaneBytes, humaneCount, humaneDuration, isoTime, relativeTime } from "./humane.ts";

export interface TableStyle {
  readonly isWide: boolean;
  /** Sizes and times as people say them; raw otherwise. */
  readonly isTerminal: boolean;
  readonly hasColor: boolean;
  readonly nowMs: number;
}

type Cell = string | number | boolean | null;

const GAP = "  ";
const RIGHT: ReadonlySet<CellKind> = new Set<CellKind>(["count", "bytes", "duration"]);

const COLORS: Readonly<Record<string, string>> = {
  ok: "\u001b[32m",
  warn: "\u001b[33m",
  fail: "\u001b[31m",
};

/** Columns of fixed width with their titles; the last one is not padded. */
export function renderTable(table: Table, style: TableStyle): string {
  const title = table.title === undefined ? "" : `${table.title}\n`;
  if (table.rows.length === 0) return "";
  const columns = (table.columns as readonly Column<unknown>[]).filter(
    (column) => style.isWide || column.isWide !== true,
  );
  const cells = table.rows.map((row) =>
    columns.map((column) => cellText(column.of(row), column.kind ?? "text", style)),
  );
  const widths = columns.map((column, index) =>
    cells.reduce(
      (width, row) => Math.max(width, Bun.stringWidth(row[index] ?? "")),
      Bun.stringWidth(column.title),
    ),
  );
  const line = (texts: readonly string[], kinds: readonly CellKind[]): string =>
    texts
      .map((text, index) => {
        const fill = " ".repeat(Math.max(0, (widths[index] ?? 0) - Bun.stringWidth(text)));
        if (RIGHT.has(kinds[index] ?? "text")) return fill + text;
        return index === texts.length - 1 ? text : text + fill;
      })
      .join(GAP)
      .trimEnd();
  const kinds = columns.map((column) => column.kind ?? "text");
  const head = line(
    columns.map((column) => column.title),
    kinds,
  );
  const body = cells.map((row) => paint(line(row, kinds), row, kinds, style));
  return `${title}${[head, ...body].join("\n")}\n`;
}

function paint(
  line: string,
  row: readonly string[],
  kinds: readonly CellKind[],
  style: TableStyle,
): string {
  const status = row[kinds.indexOf("status")];
  const color = style.hasColor && status !== undefined ? COLORS[status] : undefined;
  return color === undefined ? line : `${color}${line}\u001b[0m`;
}

function cellText(value: Cell, kind: CellKind, style: TableStyle): string {
  if (value === null || value === "") return "-";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "string") return printable(value);
  if (kind === "time") {
    return style.isTerminal ? relativeTime(value, style.nowMs) : (isoTime(value) ?? "-");
  }
  if (!style.isTerminal) return String(value);
  if (kind === "bytes") return humaneBytes(value);
  if (kind === "duration") return humaneDuration(value);
  return kind === "count" ? humaneCount(value) : String(value);
}

/** Control characters could move the cursor or forge a line. */
export const printable = (text: string): string =>
  // oxlint-disable-next-line no-control-regex
  text.replace(/[\u0000-\u001f\u007f-\u009f]/g, (character) => {
    const code = character.charCodeAt(0);
    if (code === 10) return "\\n";
    if (code === 9) return "\\t";
    return `\\x${code.toString(16).padStart(2, "0")}`;
  });
