/** Rows beneath their headings, as wide as they have to be. Numbers stand at the right. */
type Cell = string | number | null;

/** null and "" are shown as "-": a row can be cut at its blanks. */
export function tableLines(head: readonly string[], rows: readonly (readonly Cell[])[]): string[] {
  const cells = rows.map((row) => row.map((c) => (c === null || c === "" ? "-" : String(c))));
  const isNumber = head.map((_, i) => rows.some((row) => typeof row[i] === "number"));
  const widths = head.map((title, i) => Math.max(title.length, ...cells.map((row) => row[i]?.length ?? 0)));
  return [head, ...cells].map((row) =>
    row
      .map((text, i) => (isNumber[i] ? text.padStart(widths[i] ?? 0) : text.padEnd(widths[i] ?? 0)))
      .join("  ")
      .trimEnd(),
  );
}
