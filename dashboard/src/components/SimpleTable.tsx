import type { ComponentChildren } from "preact";
import { useApp } from "./context.ts";
import type { Column } from "./DataTable.tsx";

interface Props<T> {
  label: string;
  rows: readonly T[];
  columns: readonly Omit<Column<T>, "sort" | "off">[];
  rowKey: (row: T) => string;
  actions?: (row: T) => ComponentChildren;
}

/** A short list that is all there; no paging. */
export function SimpleTable<T>({ label, rows, columns, rowKey, actions }: Props<T>) {
  const { t } = useApp().i18n;
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
            {actions ? (
              <th scope="col">
                <span class="sr">{t("table.actions")}</span>
              </th>
            ) : null}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={rowKey(row)}>
              {columns.map((c) => (
                <td
                  key={c.id}
                  data-label={c.label}
                  class={[c.num ? "num nowrap" : "", c.lead ? "lead" : "", c.clip ? "clip" : "", c.wideOnly ? "wide-only" : ""]
                    .filter(Boolean)
                    .join(" ")}
                >
                  {c.clip ? <span>{c.cell(row)}</span> : c.cell(row)}
                </td>
              ))}
              {actions ? (
                <td class="acts">
                  <div class="row">{actions(row)}</div>
                </td>
              ) : null}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
