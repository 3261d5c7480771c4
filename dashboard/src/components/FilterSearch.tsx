import { useState } from "preact/hooks";
import type { TableModel } from "../models/table.ts";
import { SearchBox } from "./form.tsx";

interface Props<T> {
  model: TableModel<T>;
  /** Filter name, its label. */
  fields: readonly (readonly [string, string])[];
  /** For screen readers: "Search in". */
  label: string;
}

/** One search box over several fields; which one is part of the address. */
export function FilterSearch<T>({ model, fields, label }: Props<T>) {
  const active = fields.find(([name]) => model.filters.value[name])?.[0];
  const [choice, setChoice] = useState(active ?? fields[0]?.[0] ?? "");
  const field = active ?? choice;
  const name = fields.find(([f]) => f === field)?.[1] ?? "";
  return (
    <div class="row filter-search">
      {fields.length > 1 ? (
        <select
          class="select"
          aria-label={label}
          value={field}
          onChange={(e) => {
            const next = e.currentTarget.value;
            const text = model.filters.peek()[field] ?? "";
            setChoice(next);
            if (text) {
              model.setFilter(field, "");
              model.setFilter(next, text);
            }
          }}
        >
          {fields.map(([f, text]) => (
            <option key={f} value={f}>
              {text}
            </option>
          ))}
        </select>
      ) : null}
      <SearchBox key={field} value={model.filters.value[field] ?? ""} label={name} onSearch={(text) => model.setFilter(field, text)} />
    </div>
  );
}
