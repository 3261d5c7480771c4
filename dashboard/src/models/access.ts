/** The access chain of the broker: who is asked, the file of rules as it is edited, and hashes of a table. */
import { computed, effect, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import type { AccessView, AclCheck, AclFileRow, HashQuestion } from "../api/client.ts";
import { type ApiError, asApiError } from "../api/transport.ts";
import type { App } from "./app.ts";
import { createExplain, type ExplainModel } from "./explain.ts";
import { createLive, type Live } from "./live.ts";

export interface RulesModel {
  file: Live<AclFileRow>;
  /** What stands in the editor; null = what the file has. */
  draft: Signal<string | null>;
  dirty: ReadonlySignal<boolean>;
  /** Of what stands there; null = not known yet. */
  check: ReadonlySignal<AclCheck | null>;
  saving: ReadonlySignal<boolean>;
  save(): Promise<void>;
}

export interface AccessModel {
  view: Live<AccessView>;
  rules: RulesModel;
  test: ExplainModel;
  hash: {
    found: ReadonlySignal<readonly string[] | null>;
    error: ReadonlySignal<ApiError | null>;
    busy: ReadonlySignal<boolean>;
    find(question: HashQuestion): Promise<void>;
  };
  dispose(): void;
}

/** Ms without a further letter before what was typed is checked. */
const TYPING_MS = 250;

export function createAccess(app: App): AccessModel {
  const { api, link } = app;
  const node = async (): Promise<string> => (await api.nodes())[0]?.name ?? "";
  const view = createLive(async () => api.access(await node()), { link, every: 5000 });
  const rules = createRules(app, node);
  const found = signal<readonly string[] | null>(null);
  const error = signal<ApiError | null>(null);
  const busy = signal(false);
  return {
    view,
    rules,
    test: createExplain(app),
    hash: {
      found,
      error,
      busy,
      async find(question) {
        busy.value = true;
        error.value = null;
        found.value = null;
        try {
          found.value = await api.fittingHashes(question);
        } catch (err) {
          error.value = asApiError(err);
          link.report(error.peek());
        }
        busy.value = false;
      },
    },
    dispose() {
      view.dispose();
      rules.dispose();
    },
  };
}

function createRules({ api, link, act, i18n }: App, node: () => Promise<string>): RulesModel & { dispose(): void } {
  const file = createLive(async () => api.aclFile(await node()), { link, every: 0 });
  const draft = signal<string | null>(null);
  const check = signal<AclCheck | null>(null);
  const saving = signal(false);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const dirty = computed(() => draft.value !== null && draft.value !== file.data.value?.text);
  const stop = effect(() => {
    const text = draft.value ?? file.data.value?.text;
    clearTimeout(timer);
    if (text === undefined) return;
    timer = setTimeout(async () => {
      try {
        const answer = await api.checkAcl(text);
        // What has been typed meanwhile is checked next.
        if (text === (draft.peek() ?? file.data.peek()?.text)) check.value = answer;
      } catch (err) {
        link.report(asApiError(err));
      }
    }, TYPING_MS);
  });
  return {
    file,
    draft,
    dirty,
    check,
    saving,
    async save() {
      const text = draft.peek();
      if (text === null) return;
      saving.value = true;
      const done = await act(async () => api.replaceAclFile(await node(), text), i18n.t("access.saved", { n: check.peek()?.rules ?? 0 }));
      if (done) {
        await file.refresh();
        if (draft.peek() === text) draft.value = null;
      }
      saving.value = false;
    },
    dispose() {
      stop();
      clearTimeout(timer);
      file.dispose();
    },
  };
}
