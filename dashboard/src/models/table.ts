/** A list kept by the server: search, sort, paging and filters live in the address, rows refresh themselves. */
import { computed, effect, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import type { Rows } from "../api/client.ts";
import type { Query } from "../api/transport.ts";
import type { App } from "./app.ts";
import { createLive, type Live } from "./live.ts";

export interface TableModel<T> {
  live: Live<Rows<T>>;
  rows: ReadonlySignal<readonly T[] | undefined>;
  count: ReadonlySignal<number>;
  /** 1-based. */
  page: ReadonlySignal<number>;
  pages: ReadonlySignal<number>;
  limit: ReadonlySignal<number>;
  sort: ReadonlySignal<{ by: string; down: boolean } | null>;
  filters: ReadonlySignal<Readonly<Record<string, string>>>;
  /** Any filter is set. */
  filtered: ReadonlySignal<boolean>;
  selected: Signal<ReadonlySet<string>>;
  setPage(n: number): void;
  setLimit(n: number): void;
  /** Once ascending, again descending, again off. */
  toggleSort(field: string): void;
  setFilter(name: string, value: string): void;
  clearFilters(): void;
  dispose(): void;
}

export interface TableOptions<T> {
  fetch: (q: Query) => Promise<Rows<T>>;
  /** Address parameter → API query; `q` is the search box. */
  filters: Readonly<Record<string, (value: string) => Query>>;
  sort?: string;
  every?: number;
}

export function createTable<T>(app: App, options: TableOptions<T>): TableModel<T> {
  const { router, prefs, link } = app;
  const home = router.page.peek();
  const names = Object.keys(options.filters);
  const selected = signal<ReadonlySet<string>>(new Set());

  const page = computed(() => Math.max(1, Number(router.place.value.query.page) || 1));
  const limit = computed(() => Math.min(1000, Math.max(1, Number(router.place.value.query.limit) || prefs.limit.value)));
  const sort = computed(() => {
    const text = router.place.value.query.sort ?? options.sort ?? "";
    return text === "" ? null : { by: text.replace(/^-/, ""), down: text.startsWith("-") };
  });
  const filters = computed(() => {
    const q = router.place.value.query;
    return Object.fromEntries(names.flatMap((n) => (q[n] ? [[n, q[n]]] : []))) as Record<string, string>;
  });

  const request = computed<string>(() => {
    const q: Query = { _page: page.value, _limit: limit.value };
    if (sort.value) q._sort = `${sort.value.down ? "-" : ""}${sort.value.by}`;
    for (const [n, v] of Object.entries(filters.value)) Object.assign(q, options.filters[n]?.(v));
    return JSON.stringify(q);
  });

  const live = createLive<Rows<T>>(() => options.fetch(JSON.parse(request.peek()) as Query), { link, every: options.every ?? 5000 });
  let seen = request.peek();
  const stop = effect(() => {
    const now = request.value;
    // The page is being left: its query is no longer ours to read.
    if (router.page.value !== home || now === seen) return;
    seen = now;
    selected.value = new Set();
    void live.refresh();
  });

  const count = computed(() => live.data.value?.count ?? 0);
  const pages = computed(() => Math.max(1, Math.ceil(count.value / limit.value)));
  const setPage = (n: number): void => router.patch({ page: n <= 1 ? null : n });
  // What stood on the last page may have gone.
  const stopPast = effect(() => {
    if (live.data.value !== undefined && router.page.value === home && page.value > pages.value) setPage(pages.peek());
  });
  return {
    live,
    rows: computed(() => live.data.value?.rows),
    count,
    page,
    limit,
    pages,
    sort,
    filters,
    filtered: computed(() => Object.keys(filters.value).length > 0),
    selected,
    setPage,
    setLimit(n) {
      prefs.limit.value = n;
      router.patch({ page: null, limit: null });
    },
    toggleSort(field) {
      const s = sort.peek();
      const next = s?.by !== field ? field : s.down ? null : `-${field}`;
      router.patch({ sort: next, page: null });
    },
    setFilter: (name, value) => router.patch({ [name]: value, page: null }),
    clearFilters: () => router.patch({ ...Object.fromEntries(names.map((n) => [n, null])), page: null }),
    dispose() {
      stop();
      stopPast();
      live.dispose();
    },
  };
}
