import type { ComponentChildren } from "preact";
import { ActionsHead, type CellColumn, TableCells } from "./TableCells.tsx";

interface Props<T> {
  label: string;
  rows: readonly T[];
  columns: readonly CellColumn<T>[];
  rowKey: (row: T) => string;
  actions?: (row: T) => ComponentChildren;
}

/** A short list that is all there; no paging. */
export function SimpleTable<T>({ label, rows, columns, rowKey, actions }: Props<T>) {
  return (
    <div class="table-scroll">
      <table class="data stackable" aria-label={label}>
        <thead>
          <tr>
            {columns.map((c) => (
              <th key={c.id} scope="col" class={c.num ? "num" : undefined}>
                {c.label}
              </th>
            ))}
            {actions ? <ActionsHead /> : null}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={rowKey(row)}>
              <TableCells row={row} columns={columns} actions={actions} />
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
