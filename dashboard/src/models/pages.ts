/** Pages of a list that the API answers with as a whole. */
import { computed, type ReadonlySignal, signal } from "@preact/signals";

/** Rows of a page at first: such a list stands among other cards. */
const LIMIT = 10;

export interface Pages<T> {
  /** Those on this page. */
  shown: ReadonlySignal<readonly T[]>;
  /** Of all pages. */
  count: ReadonlySignal<number>;
  /** 1-based; the last one when there are no longer so many. */
  page: ReadonlySignal<number>;
  pages: ReadonlySignal<number>;
  limit: ReadonlySignal<number>;
  setPage(n: number): void;
  setLimit(n: number): void;
}

export function createPages<T>(rows: ReadonlySignal<readonly T[]>): Pages<T> {
  const wanted = signal(1);
  const limit = signal(LIMIT);
  const pages = computed(() => Math.max(1, Math.ceil(rows.value.length / limit.value)));
  const page = computed(() => Math.min(wanted.value, pages.value));
  return {
    shown: computed(() => rows.value.slice((page.value - 1) * limit.value, page.value * limit.value)),
    count: computed(() => rows.value.length),
    page,
    pages,
    limit,
    setPage(n) {
      wanted.value = n;
    },
    setLimit(n) {
      limit.value = n;
      wanted.value = 1;
    },
  };
}
