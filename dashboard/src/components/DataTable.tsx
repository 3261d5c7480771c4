import { ArrowDown, ArrowUp, Columns3, type IconNode, SearchX } from "lucide";
import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { TableModel } from "../models/table.ts";
import { Empty, Failed } from "./basics.tsx";
import { useApp } from "./context.ts";
import { Icon } from "./Icon.tsx";
import { Menu } from "./Menu.tsx";
import { Pager } from "./Pager.tsx";
import { ActionsHead, type CellColumn, TableCells } from "./TableCells.tsx";

export interface Column<T> extends CellColumn<T> {
  /** API field to sort by; without it the column cannot be sorted. */
  sort?: string;
  /** Hidden until chosen. */
  off?: boolean;
}

interface Props<T> {
  /** For the choice of columns. */
  id: string;
  /** Read out as the table's name. */
  label: string;
  model: TableModel<T>;
  columns: readonly Column<T>[];
  rowKey: (row: T) => string;
  /** Buttons at the end of a row. */
  actions?: (row: T) => ComponentChildren;
  /** Rows can be ticked. */
  pick?: (row: T) => string;
  empty: { icon: IconNode; title: string; children?: ComponentChildren; actions?: ComponentChildren };
  /** Search box and filters. */
  toolbar?: ComponentChildren;
}

/** Past this many rows only those in sight are drawn. */
const VIRTUAL_FROM = 120;
const ROW_PX = 42;

export function DataTable<T>({ id, label, model, columns, rowKey, actions, pick, empty, toolbar }: Props<T>) {
  const app = useApp();
  const { t } = app.i18n;
  const chosen = app.prefs.columns.value[id];
  const visible = columns.filter((c) => c.lead || (chosen ? chosen.includes(c.id) : !c.off));
  const rows = model.rows.value;
  const error = model.live.error.value;

  const toggleColumn = (column: string): void => {
    const now = visible.map((c) => c.id);
    const next = now.includes(column) ? now.filter((c) => c !== column) : [...now, column];
    app.prefs.columns.value = { ...app.prefs.columns.peek(), [id]: next };
  };

  const canChoose = columns.some((c) => c.off) || columns.length > 6;
  return (
    <>
      <div class="toolbar">
        {toolbar}
        <span class="spacer" />
        {canChoose ? (
          <Menu
            label={t("table.columns")}
            class="btn ghost"
            sticky
            button={
              <>
                <Icon of={Columns3} /> {t("table.columns")}
              </>
            }
          >
            {columns
              .filter((c) => !c.lead)
              .map((c) => (
                <label key={c.id}>
                  <input type="checkbox" checked={visible.includes(c)} onChange={() => toggleColumn(c.id)} /> {c.label}
                </label>
              ))}
          </Menu>
        ) : null}
      </div>
      <div class="table-card">
        {rows && rows.length > 0 ? (
          <Rows {...{ label, model, rows, columns: visible, rowKey }} {...(actions ? { actions } : {})} {...(pick ? { pick } : {})} />
        ) : rows ? (
          model.filtered.value ? (
            <Empty
              icon={SearchX}
              title={t("table.noMatch")}
              actions={
                <button type="button" class="btn" onClick={() => model.clearFilters()}>
                  {t("table.clearFilters")}
                </button>
              }
            >
              <p>{t("table.noMatchText")}</p>
            </Empty>
          ) : (
            <Empty {...empty} />
          )
        ) : error ? (
          <Failed error={error} retry={() => void model.live.refresh()} />
        ) : (
          <Skeleton columns={visible.length} />
        )}
        {rows ? <Pager model={model} /> : null}
      </div>
    </>
  );
}

interface RowsProps<T> extends Pick<Props<T>, "label" | "model" | "columns" | "rowKey" | "actions" | "pick"> {
  rows: readonly T[];
}

function Rows<T>({ label, model, rows, columns, rowKey, actions, pick }: RowsProps<T>) {
  const { t } = useApp().i18n;
  const scroller = useRef<HTMLDivElement>(null);
  const virtual = rows.length > VIRTUAL_FROM;
  const [range, setRange] = useState<[number, number]>([0, 60]);
  useLayoutEffect(() => {
    const el = scroller.current;
    if (!virtual || !el) return;
    const update = (): void => {
      const from = Math.max(0, Math.floor(el.scrollTop / ROW_PX) - 12);
      setRange([from, from + Math.ceil(el.clientHeight / ROW_PX) + 24]);
    };
    update();
    el.addEventListener("scroll", update, { passive: true });
    return () => el.removeEventListener("scroll", update);
  }, [virtual]);
  const [from, to] = virtual ? range : [0, rows.length];
  const shown = rows.slice(from, to);
  const width = columns.length + (pick ? 1 : 0) + (actions ? 1 : 0);
  const sort = model.sort.value;
  const selected = model.selected.value;
  const ids = pick ? rows.map(pick) : [];
  const all = ids.length > 0 && ids.every((i) => selected.has(i));
  const choose = (list: readonly string[], on: boolean): void => {
    const next = new Set(selected);
    for (const i of list)
      if (on) next.add(i);
      else next.delete(i);
    model.selected.value = next;
  };
  return (
    <div class={virtual ? "table-scroll virtual" : "table-scroll"} ref={scroller} tabIndex={virtual ? 0 : undefined}>
      <table class={virtual ? "data" : "data stackable"} aria-label={label} aria-rowcount={model.count.value}>
        <thead>
          <tr>
            {pick ? (
              <th class="pick" scope="col">
                <input type="checkbox" aria-label={t("table.pickAll")} checked={all} onChange={() => choose(ids, !all)} />
              </th>
            ) : null}
            {columns.map((c) => (
              <th
                key={c.id}
                scope="col"
                class={c.num ? "num" : undefined}
                aria-sort={c.sort && sort?.by === c.sort ? (sort.down ? "descending" : "ascending") : undefined}
              >
                {c.sort ? (
                  <button type="button" onClick={() => c.sort && model.toggleSort(c.sort)}>
                    {c.label}
                    {sort?.by === c.sort ? <Icon of={sort.down ? ArrowDown : ArrowUp} size={13} /> : null}
                  </button>
                ) : (
                  c.label
                )}
              </th>
            ))}
            {actions ? <ActionsHead /> : null}
          </tr>
        </thead>
        <tbody>
          {from > 0 ? <Gap height={from * ROW_PX} width={width} /> : null}
          {shown.map((row) => {
            const pickId = pick?.(row);
            return (
              <tr key={rowKey(row)} aria-selected={pickId !== undefined && selected.has(pickId) ? true : undefined}>
                {pickId === undefined ? null : (
                  <td class="pick">
                    <input
                      type="checkbox"
                      aria-label={t("table.pick", { name: pickId })}
                      checked={selected.has(pickId)}
                      onChange={(e) => choose([pickId], e.currentTarget.checked)}
                    />
                  </td>
                )}
                <TableCells row={row} columns={columns} actions={actions} />
              </tr>
            );
          })}
          {to < rows.length ? <Gap height={(rows.length - to) * ROW_PX} width={width} /> : null}
        </tbody>
      </table>
    </div>
  );
}

const Gap = ({ height, width }: { height: number; width: number }) => (
  <tr role="presentation">
    <td colSpan={width} style={{ height: `${height}px`, padding: 0 }} />
  </tr>
);

const Skeleton = ({ columns }: { columns: number }) => (
  <div class="table-scroll" aria-busy="true">
    <table class="data">
      <tbody>
        {Array.from({ length: 8 }, (_, r) => (
          <tr key={r}>
            {Array.from({ length: columns }, (_, c) => (
              <td key={c}>
                <span class="skeleton" style={{ width: `${40 + ((r * 7 + c * 13) % 45)}%` }}></span>
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  </div>
);
