/** What a row of any table consists of. */
import type { ComponentChildren } from "preact";
import { useApp } from "./context.ts";

export interface CellColumn<T> {
  id: string;
  label: string;
  cell: (row: T) => ComponentChildren;
  num?: boolean;
  /** The row's name: always shown, first on a phone. */
  lead?: boolean;
  /** Cut long text off. */
  clip?: boolean;
  /** Not shown on a phone. */
  wideOnly?: boolean;
}

interface Props<T> {
  row: T;
  columns: readonly CellColumn<T>[];
  /** Buttons at the end of a row. */
  actions: ((row: T) => ComponentChildren) | undefined;
}

export const TableCells = <T,>({ row, columns, actions }: Props<T>) => (
  <>
    {columns.map((c) => (
      <td key={c.id} data-label={c.label} class={cellClass(c)}>
        {c.clip ? <span>{c.cell(row)}</span> : c.cell(row)}
      </td>
    ))}
    {actions ? (
      <td class="acts">
        <div class="row">{actions(row)}</div>
      </td>
    ) : null}
  </>
);

const cellClass = <T,>(c: CellColumn<T>): string =>
  [c.num ? "num nowrap" : "", c.lead ? "lead" : "", c.clip ? "clip" : "", c.wideOnly ? "wide-only" : ""].filter(Boolean).join(" ");

/** Above the buttons. */
export function ActionsHead() {
  const { t } = useApp().i18n;
  return (
    <th scope="col">
      <span class="sr">{t("table.actions")}</span>
    </th>
  );
}
