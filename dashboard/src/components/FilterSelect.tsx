import type { TableModel } from "../models/table.ts";

interface Props<T> {
  model: TableModel<T>;
  /** Name of the filter. */
  field: string;
  label: string;
  /** What is shown while nothing is chosen. */
  any: string;
  options: readonly (readonly [value: string, text: string])[];
}

/** Rows that have one of a few values. */
export const FilterSelect = <T,>({ model, field, label, any, options }: Props<T>) => (
  <select
    class="select"
    aria-label={label}
    value={model.filters.value[field] ?? ""}
    onChange={(e) => model.setFilter(field, e.currentTarget.value)}
  >
    <option value="">{any}</option>
    {options.map(([value, text]) => (
      <option key={value} value={value}>
        {text}
      </option>
    ))}
  </select>
);
