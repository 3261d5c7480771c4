/** The playground: what the SQL in the editor makes of an example, asked while somebody types; and examples that are taken from real traffic. */
import { batch, computed, effect, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import type { CaptureRow, RuleRequest, RuleTestResult } from "../api/client.ts";
import { type ApiError, asApiError } from "../api/transport.ts";
import type { FieldPath } from "../lib/row_fields.ts";
import { sourcesOf } from "../lib/sql_text.ts";
import { matches } from "../lib/topic.ts";
import { parsed } from "../lib/value_paths.ts";
import type { App } from "./app.ts";
import { eventOf, type RuleCatalog } from "./rule_catalog.ts";

export type Sample = Readonly<Record<string, unknown>>;

export interface RuleTrialModel {
  /** Columns as they are sent: those of the event's example, with what was typed or captured. */
  sample: ReadonlySignal<Sample>;
  /** The example has a payload. */
  hasPayload: ReadonlySignal<boolean>;
  /** No filter of the statement matches the example's topic. */
  unseen: ReadonlySignal<boolean>;
  result: ReadonlySignal<RuleTestResult | null>;
  /** The fields of the rule's rows, of the last SQL that the broker has seen; null = nobody knows, or it is wrong. */
  fields: ReadonlySignal<readonly FieldPath[] | null>;
  /** The same of the SQL as it stands now, and of no other. */
  fieldsNow: ReadonlySignal<readonly FieldPath[] | null>;
  /** Ask for them at once, without waiting for a pause in typing. */
  askFields(): Promise<void>;
  /** The broker could not be asked. */
  error: ReadonlySignal<ApiError | null>;
  busy: ReadonlySignal<boolean>;
  setColumn(name: string, value: unknown): void;
  /** All of them, as JSON. */
  setColumns(columns: Sample): void;
  /** The example is another one than it began with. */
  changed: ReadonlySignal<boolean>;
  /** Another example, as if it had begun with that. */
  begin(start: Sample): void;
  capture: {
    row: ReadonlySignal<CaptureRow | null>;
    /** Ms until it ends by itself. */
    left: ReadonlySignal<number>;
    start(): Promise<void>;
    take(index: number): void;
    /** Of the samples, the one that was taken last. */
    taken: ReadonlySignal<number | null>;
  };
  dispose(): void;
}

const TYPING_MS = 200;
const CAPTURE_MS = 1000;

/** A topic that the filter matches: `a/+/#` → `a/1/a`. */
export const topicFor = (filter: string): string =>
  filter
    .replace(/^\$(?:share\/[^/]+|queue)\//, "")
    .split("/")
    .map((l) => (l === "+" ? "1" : l === "#" ? "a" : l))
    .join("/");

export interface TrialOptions {
  sql: ReadonlySignal<string>;
  actions: ReadonlySignal<RuleRequest["actions"]>;
  catalog: RuleCatalog;
  /** What the example has beside the event's columns. */
  start: Sample;
}

export function createTrial({ api, link }: App, { sql, actions, catalog, start }: TrialOptions): RuleTrialModel {
  const begun: Signal<Sample> = signal(start);
  const typed: Signal<Sample> = signal(start);
  const whole: Signal<Sample | null> = signal(null);
  const result = signal<RuleTestResult | null>(null);
  const error = signal<ApiError | null>(null);
  const busy = signal(false);
  const known = signal<{ sql: string; fields: readonly FieldPath[] | null } | null>(null);
  const sources = computed(() => sourcesOf(sql.value));
  const event = computed(() => eventOf(catalog.fixed.data.value?.events ?? [], sources.value));
  const sample = computed<Sample>(() => {
    if (whole.value !== null) return whole.value;
    const base = event.value?.test_columns ?? {};
    const filter = sources.value?.find((s) => !s.startsWith("$events/"));
    const topic = event.value?.event === "message.publish" && filter !== undefined ? { topic: topicFor(filter) } : {};
    const own = Object.entries(typed.value).filter(([name]) => event.value === undefined || event.value.columns.includes(name));
    return { ...base, ...topic, ...Object.fromEntries(own) };
  });

  let timer: ReturnType<typeof setTimeout> | undefined;
  let turn = 0;
  const stop = effect(() => {
    const request = { rawsql: sql.value, sample: sample.value, actions: actions.value };
    // Before the events are known the example is none.
    if (catalog.fixed.data.value === undefined) return;
    clearTimeout(timer);
    busy.value = true;
    const mine = ++turn;
    timer = setTimeout(async () => {
      try {
        const answer = await api.testRule(request);
        if (mine !== turn) return;
        // Whoever hears of the fields finds the rows there.
        batch(() => {
          result.value = answer;
          known.value = { sql: request.rawsql, fields: answer.fields };
          error.value = null;
        });
      } catch (err) {
        if (mine !== turn) return;
        error.value = asApiError(err);
        link.report(error.peek());
      }
      busy.value = false;
    }, TYPING_MS);
  });

  const row = signal<CaptureRow | null>(null);
  const left = signal(0);
  const taken = signal<number | null>(null);
  let ticking: ReturnType<typeof setTimeout> | undefined;
  let ended = false;

  async function follow(): Promise<void> {
    if (ended) return;
    try {
      const now = await api.capture();
      // Somebody else may have begun another one: it is not ours.
      if (row.peek() !== null && now?.started_at_ms !== row.peek()?.started_at_ms) {
        row.value = { ...(row.peek() as CaptureRow), running: false };
        return;
      }
      row.value = now;
    } catch (err) {
      link.report(asApiError(err));
    }
    left.value = Math.max(0, left.peek() - CAPTURE_MS);
    if (row.peek()?.running && !ended) ticking = setTimeout(() => void follow(), CAPTURE_MS);
  }

  const adopt = (columns: Sample): void => {
    whole.value = columns;
  };
  return {
    sample,
    hasPayload: computed(() => event.value?.columns.includes("payload") ?? true),
    unseen: computed(() => {
      const topic = sample.value.topic;
      const filters = sources.value?.filter((s) => !s.startsWith("$events/")) ?? [];
      if (event.value?.event !== "message.publish" || filters.length === 0 || typeof topic !== "string") return false;
      return !filters.some((f) => matches(f, topic));
    }),
    result,
    fields: computed(() => known.value?.fields ?? null),
    fieldsNow: computed(() => (known.value?.sql === sql.value ? known.value.fields : null)),
    async askFields() {
      const rawsql = sql.peek();
      if (known.peek()?.sql === rawsql) return;
      try {
        const { fields } = await api.testRule({ rawsql, sample: {}, actions: [] });
        if (sql.peek() === rawsql) known.value = { sql: rawsql, fields };
      } catch (err) {
        // The trial is about to ask the same, and says why it cannot.
        link.report(asApiError(err));
      }
    },
    error,
    busy,
    setColumn(name, value) {
      if (whole.peek() === null) {
        typed.value = { ...typed.peek(), [name]: value };
        return;
      }
      const { payload_encoding: encoding, ...rest } = whole.peek() as Sample;
      adopt({ ...rest, ...(encoding !== undefined && name !== "payload" ? { payload_encoding: encoding } : {}), [name]: value });
    },
    setColumns: adopt,
    changed: computed(() => whole.value !== null || typed.value !== begun.value),
    begin(next) {
      batch(() => {
        begun.value = typed.value = next;
        whole.value = null;
        taken.value = null;
      });
    },
    capture: {
      row,
      left,
      taken,
      async start() {
        const topic = sources.peek()?.[0];
        if (topic === undefined) return;
        clearTimeout(ticking);
        taken.value = null;
        try {
          const begun = await api.startCapture(topic);
          left.value = begun.until_ms - begun.started_at_ms;
          row.value = begun;
          error.value = null;
          ticking = setTimeout(() => void follow(), CAPTURE_MS);
        } catch (err) {
          error.value = asApiError(err);
        }
      },
      take(index) {
        const found = row.peek()?.samples[index];
        if (found === undefined) return;
        taken.value = index;
        adopt(found.columns);
      },
    },
    dispose() {
      ended = true;
      stop();
      clearTimeout(timer);
      clearTimeout(ticking);
    },
  };
}

/** Columns with what is in the payload, for completion. */
export function knownColumns(columns: readonly string[], sample: Sample): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const name of columns) out[name] = name === "payload" ? parsed(sample.payload) : (sample[name] ?? null);
  return out;
}
