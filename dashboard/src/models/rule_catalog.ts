/** What rules can be made of: events with their columns, functions, kinds of actions, resources. Read once, resources again when they change. */
import { computed, type ReadonlySignal } from "@preact/signals";
import type { ActionKindRow, ResourceRow, ResourceTypeRow, RuleEventRow, RuleFunctionRow } from "../api/client.ts";
import { translated } from "../lib/kind_texts.ts";
import type { App } from "./app.ts";
import { createLive, type Live } from "./live.ts";

interface Fixed {
  events: RuleEventRow[];
  functions: RuleFunctionRow[];
}

interface Kinds {
  actions: ActionKindRow[];
  types: ResourceTypeRow[];
}

export interface RuleCatalog {
  fixed: Live<Fixed>;
  kinds: Live<Kinds>;
  resources: Live<ResourceRow[]>;
  ready: ReadonlySignal<boolean>;
  action(name: string): ActionKindRow | undefined;
  type(name: string): ResourceTypeRow | undefined;
  dispose(): void;
}

/** Plugins may come with kinds of their own while the page is open. */
const KINDS_MS = 20_000;
const RESOURCES_MS = 8000;

export function createCatalog({ api, i18n, link }: App): RuleCatalog {
  const fixed = createLive(
    async () => {
      const [events, functions] = await Promise.all([api.ruleEvents(), api.ruleFunctions()]);
      return { events, functions };
    },
    { link, every: 0 },
  );
  const asSaid = createLive(
    async () => {
      const [actions, types] = await Promise.all([api.actionKinds(), api.resourceTypes()]);
      return { actions, types };
    },
    { link, every: KINDS_MS },
  );
  const inOurs = <K extends ActionKindRow | ResourceTypeRow>(all: readonly K[]): K[] => all.map((kind) => translated(kind, i18n.said));
  const kinds: Live<Kinds> = {
    ...asSaid,
    data: computed(() => {
      const found = asSaid.data.value;
      return found && { actions: inOurs(found.actions), types: inOurs(found.types) };
    }),
  };
  const resources = createLive(() => api.resources(), { link, every: RESOURCES_MS });
  return {
    fixed,
    kinds,
    resources,
    ready: computed(() => fixed.data.value !== undefined && kinds.data.value !== undefined && resources.data.value !== undefined),
    action: (name) => kinds.data.value?.actions.find((k) => k.name === name),
    type: (name) => kinds.data.value?.types.find((k) => k.name === name),
    dispose() {
      for (const live of [fixed, kinds, resources]) live.dispose();
    },
  };
}

/** The event that a statement looks at first: with topics it is message.publish. */
export function eventOf(events: readonly RuleEventRow[], sources: readonly string[] | null): RuleEventRow | undefined {
  const first = sources?.[0];
  const found = first === undefined ? undefined : events.find((e) => e.topic === first || e.event === first);
  return found ?? events.find((e) => e.event === "message.publish");
}
