import { ChevronLeft, ChevronRight } from "lucide";
import type { TableModel } from "../models/table.ts";
import { useApp } from "./context.ts";
import { Icon } from "./Icon.tsx";

const LIMITS = [10, 20, 50, 100, 500, 1000];

/** What a pager needs of a list. */
type Paged = Pick<TableModel<unknown>, "page" | "pages" | "limit" | "count" | "setPage" | "setLimit">;

export function Pager({ model }: { model: Paged }) {
  const { t } = useApp().i18n;
  const page = model.page.value;
  const limit = model.limit.value;
  const count = model.count.value;
  const last = model.pages.value;
  const from = count === 0 ? 0 : (page - 1) * limit + 1;
  return (
    <div class="pager">
      <span class="grow" role="status">
        {count === 0 ? t("table.none") : t("table.range", { from, to: Math.min(count, page * limit), count })}
      </span>
      <label class="row">
        <span>{t("table.perPage")}</span>
        <select class="select small" value={String(limit)} onChange={(e) => model.setLimit(Number(e.currentTarget.value))}>
          {[...new Set([...LIMITS, limit])]
            .sort((a, b) => a - b)
            .map((n) => (
              <option key={n} value={String(n)}>
                {n}
              </option>
            ))}
        </select>
      </label>
      <div class="row">
        <button
          type="button"
          class="btn small icon"
          aria-label={t("table.previous")}
          disabled={page <= 1}
          onClick={() => model.setPage(page - 1)}
        >
          <Icon of={ChevronLeft} />
        </button>
        <span>{t("table.page", { page, last })}</span>
        <button
          type="button"
          class="btn small icon"
          aria-label={t("table.next")}
          disabled={page >= last}
          onClick={() => model.setPage(page + 1)}
        >
          <Icon of={ChevronRight} />
        </button>
      </div>
    </div>
  );
}
