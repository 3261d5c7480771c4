/** Values that keep themselves fresh: polling with back-off, paused while the tab is hidden. */
import { batch, computed, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import { type ApiError, asApiError } from "../api/transport.ts";

export type LinkState = "live" | "reconnecting" | "paused";

/** Shared by all pollers of the app: is the line to the broker up, is anybody looking? */
export interface Connectivity {
  state: ReadonlySignal<LinkState>;
  hidden: Signal<boolean>;
  /** A person pressed "pause". */
  paused: Signal<boolean>;
  report(error: ApiError | null): void;
  onUnauthorized(fn: () => void): void;
}

export function createConnectivity(): Connectivity {
  const down = signal(false);
  const hidden = signal(false);
  const paused = signal(false);
  let unauthorized: () => void = () => {};
  return {
    state: computed(() => (paused.value ? "paused" : down.value ? "reconnecting" : "live")),
    hidden,
    paused,
    report(error) {
      if (error === null) down.value = false;
      else if (error.kind === "network" || (error.kind === "http" && error.code >= 500)) down.value = true;
      else if (error.kind === "unauthorized") unauthorized();
    },
    onUnauthorized(fn) {
      unauthorized = fn;
    },
  };
}

export interface Live<T> {
  data: ReadonlySignal<T | undefined>;
  error: ReadonlySignal<ApiError | null>;
  /** A request is under way. */
  busy: ReadonlySignal<boolean>;
  refresh(): Promise<void>;
  /** Show a value before the server has confirmed it. */
  set(value: T): void;
  dispose(): void;
}

export interface LiveOptions {
  link: Connectivity;
  /** Milliseconds between the end of one request and the next; 0 = only on refresh(). */
  every: number;
}

const MAX_BACKOFF_MS = 30_000;

export function createLive<T>(fetcher: () => Promise<T>, { link, every }: LiveOptions): Live<T> {
  const data = signal<T | undefined>(undefined);
  const error = signal<ApiError | null>(null);
  const busy = signal(false);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let failures = 0;
  let turn = 0;
  let disposed = false;

  const idle = (): boolean => link.hidden.peek() || link.paused.peek();

  function plan(): void {
    clearTimeout(timer);
    if (disposed || idle()) return;
    const wait = failures === 0 ? every : Math.min(MAX_BACKOFF_MS, Math.max(every, 1000) * 2 ** Math.min(failures - 1, 5));
    if (every > 0) timer = setTimeout(() => void refresh(), wait);
  }

  async function refresh(): Promise<void> {
    clearTimeout(timer);
    const mine = ++turn;
    busy.value = true;
    let failed: ApiError | null = null;
    let value: T | undefined;
    try {
      value = await fetcher();
    } catch (e) {
      failed = asApiError(e);
    }
    // A later request was started (filter changed, page left): this answer is stale.
    if (disposed || mine !== turn) return;
    failures = failed ? failures + 1 : 0;
    batch(() => {
      if (!failed) data.value = value;
      error.value = failed;
      busy.value = false;
    });
    link.report(failed);
    plan();
  }

  // Coming back to the tab refreshes at once; going away stops the clock.
  let wasIdle = idle();
  const stops = [link.hidden, link.paused].map((s) =>
    s.subscribe(() => {
      const now = idle();
      if (wasIdle && !now) void refresh();
      else if (now) clearTimeout(timer);
      wasIdle = now;
    }),
  );
  void refresh();

  return {
    data,
    error,
    busy,
    refresh,
    set(value) {
      turn++;
      batch(() => {
        data.value = value;
        busy.value = false;
      });
      plan();
    },
    dispose() {
      disposed = true;
      clearTimeout(timer);
      for (const stop of stops) stop();
    },
  };
}
