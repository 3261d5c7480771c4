/** What rules write to: servers and services, how they are, and the form that makes and changes them. */
import { computed, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import type { PluginTestStep, ResourceRow, ResourceStatusRow, ResourceTypeRow } from "../api/client.ts";
import { type ApiError, asApiError } from "../api/transport.ts";
import { translated } from "../lib/kind_texts.ts";
import { defaultsOf, isForPeople, type ParamValues, sentParams } from "../lib/params.ts";
import type { App } from "./app.ts";
import { createLive, type Live } from "./live.ts";

export interface ResourceView extends ResourceRow {
  health: ResourceStatusRow | null;
}

export interface ResourcesModel {
  list: Live<ResourceView[]>;
  types: Live<ResourceTypeRow[]>;
  restart(r: ResourceRow): Promise<void>;
  remove(r: ResourceRow): Promise<void>;
  dispose(): void;
}

export const aliveOf = ({ status }: Pick<ResourceRow, "status">): boolean => status.length > 0 && status.every((s) => s.is_alive);

/** Resources whose servers are asked for at a time. */
const HEALTH_MAX = 50;

export function createResources({ api, i18n, link, act, notices }: App): ResourcesModel {
  const list = createLive(
    async () => {
      const rows = (await api.resources()).filter((r) => r.type !== "built_in");
      // One that has gone meanwhile has no health.
      const health = await Promise.all(rows.slice(0, HEALTH_MAX).map((r) => api.resourceStatus(r.id).catch(() => null)));
      return rows.map((r, i) => ({ ...r, health: health[i] ?? null }));
    },
    { link, every: 5000 },
  );
  const types = createLive(async () => (await api.resourceTypes()).filter(isForPeople), { link, every: 20_000 });
  return {
    list,
    types: { ...types, data: computed(() => types.data.value?.map((type) => translated(type, i18n.said))) },
    async restart(r) {
      await act(() => api.restartResource(r.id), i18n.t("resources.restarted", { name: r.name }));
      await list.refresh();
    },
    async remove(r) {
      const { t } = i18n;
      const title = t("resources.deleteOne", { name: r.name });
      if (!(await notices.ask({ title, text: t("resources.deleteText"), yes: t("action.delete"), danger: true }))) return;
      await act(() => api.deleteResource(r.id), t("resources.deleted", { name: r.name }));
      await list.refresh();
    },
    dispose() {
      list.dispose();
      types.dispose();
    },
  };
}

export interface ResourceFormModel {
  types: readonly ResourceTypeRow[];
  type: Signal<string>;
  kind: ReadonlySignal<ResourceTypeRow | undefined>;
  name: Signal<string>;
  description: Signal<string>;
  config: Signal<ParamValues>;
  /** One that is there is changed: its type and name stay. */
  existing: boolean;
  steps: ReadonlySignal<readonly PluginTestStep[] | null>;
  testing: ReadonlySignal<boolean>;
  error: ReadonlySignal<ApiError | null>;
  choose(type: string): void;
  test(): Promise<void>;
  /** null = it was refused. */
  save(): Promise<ResourceRow | null>;
  dispose(): void;
}

/** A name that nobody has: `pgsql`, `pgsql-2` … */
export function freeName(type: string, taken: ReadonlySet<string>): string {
  for (let n = 1; ; n++) {
    const name = n === 1 ? type : `${type}-${n}`;
    if (!taken.has(`${type}:${name}`)) return name;
  }
}

/** `row`: the one that is changed; `taken`: ids that there are. */
export function createResourceForm(
  { api, i18n, link, notices }: App,
  types: readonly ResourceTypeRow[],
  row: ResourceRow | null,
  taken: ReadonlySet<string>,
): ResourceFormModel {
  const first = row?.type ?? types[0]?.name ?? "";
  const type = signal(first);
  const kind = computed(() => types.find((k) => k.name === type.value));
  const specs = computed(() => kind.value?.params ?? {});
  const name = signal(row?.name ?? freeName(first, taken));
  const description = signal(row?.description ?? "");
  const config = signal<ParamValues>(row ? { ...row.config } : defaultsOf(specs.peek()));
  const steps = signal<readonly PluginTestStep[] | null>(null);
  const testing = signal(false);
  const error = signal<ApiError | null>(null);
  const request = () => ({
    name: name.peek().trim(),
    type: type.peek(),
    description: description.peek(),
    config: sentParams(config.peek(), specs.peek()),
  });
  async function tried<T>(what: () => Promise<T>): Promise<T | null> {
    error.value = null;
    try {
      return await what();
    } catch (err) {
      error.value = asApiError(err);
      link.report(error.peek());
      return null;
    }
  }
  return {
    types,
    type,
    kind,
    name,
    description,
    config,
    existing: row !== null,
    steps,
    testing,
    error,
    choose(next) {
      const proposed = freeName(type.peek(), taken);
      type.value = next;
      // A name that somebody has typed stays.
      if (name.peek() === proposed) name.value = freeName(next, taken);
      config.value = defaultsOf(specs.peek());
      steps.value = null;
      error.value = null;
    },
    async test() {
      testing.value = true;
      steps.value = null;
      steps.value = await tried(() => api.testResource(request()));
      testing.value = false;
    },
    async save() {
      const saved = await tried(() => api.saveResource(request()));
      if (saved) notices.ok(i18n.t("resources.saved", { name: saved.name }));
      return saved;
    },
    dispose() {},
  };
}
