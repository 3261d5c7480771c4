import { ChevronLeft, Download, Loader, SearchX, Send } from "lucide";
import { useState } from "preact/hooks";
import type { RawAnswer } from "../api/transport.ts";
import { CopyButton, Empty, Failed, Loading, Page, Tag } from "../components/basics.tsx";
import { useApp, useModel } from "../components/context.ts";
import { Field, SearchBox, TextField } from "../components/form.tsx";
import { Icon } from "../components/Icon.tsx";
import { bytes } from "../lib/format.ts";
import { createAddresses } from "../models/addresses.ts";
import { createHttpApi, fillPath, type HttpApiModel, type Operation } from "../models/http_api.ts";
import "../styles/http_api.css";

export function HttpApi() {
  const { router, i18n } = useApp();
  const { t } = i18n;
  const model = useModel(createHttpApi);
  const { q = "", op: chosen } = router.place.value.query;
  const all = model.operations.value;
  const words = q.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = all.filter((o) => words.every((w) => `${o.method} ${o.path} ${o.summary} ${o.tag}`.toLowerCase().includes(w)));
  const op = all.find((o) => o.id === chosen);
  const error = model.doc.error.value;
  const select = (id: string | null): void => {
    model.clear();
    router.patch({ op: id });
  };
  return (
    <Page title={t("page.api")} lead={t("api.lead")} actions={<SaveDocument doc={model.doc.data.value} />}>
      {!model.doc.data.value ? (
        <div class="card">{error ? <Failed error={error} retry={() => void model.doc.refresh()} /> : <Loading rows={8} />}</div>
      ) : (
        <div class={op ? "api chosen" : "api"}>
          <div class="api-list stack tight">
            <SearchBox value={q} label={t("api.search", { n: all.length })} onSearch={(text) => router.patch({ q: text })} />
            <div class="card api-routes">
              {shown.length === 0 ? <Empty icon={SearchX} title={t("table.noMatch")} /> : null}
              {groupByTag(shown).map(([tag, list]) => (
                // Without a name: a landmark for each would be many, and those of the navigation are called the same.
                <section key={tag}>
                  <h2>{tag}</h2>
                  {list.map((o) => (
                    <button key={o.id} type="button" class="api-route" aria-pressed={o === op} onClick={() => select(o.id)}>
                      <Method of={o.method} />
                      <span class="mono small">{o.path}</span>
                      <span class="muted small ellipsis">{o.summary}</span>
                    </button>
                  ))}
                </section>
              ))}
            </div>
          </div>
          {op ? (
            <div class="stack">
              <button type="button" class="btn ghost small back" onClick={() => select(null)}>
                <Icon of={ChevronLeft} size={14} /> {t("api.all")}
              </button>
              <TryIt key={op.id} op={op} model={model} />
            </div>
          ) : (
            <div class="card api-hint">
              <Empty icon={Send} title={t("api.choose")}>
                <p>{t("api.chooseText")}</p>
              </Empty>
            </div>
          )}
        </div>
      )}
    </Page>
  );
}

function groupByTag(list: readonly Operation[]): [string, Operation[]][] {
  const out = new Map<string, Operation[]>();
  for (const o of list) {
    const group = out.get(o.tag);
    if (group) group.push(o);
    else out.set(o.tag, [o]);
  }
  return [...out];
}

const Method = ({ of }: { of: string }) => <span class={`method ${of.toLowerCase()}`}>{of}</span>;

function SaveDocument({ doc }: { doc: unknown }) {
  const { t } = useApp().i18n;
  const save = (): void => {
    const url = URL.createObjectURL(new Blob([JSON.stringify(doc, null, 2)], { type: "application/json" }));
    const a = document.createElement("a");
    a.href = url;
    a.download = "baomq-openapi.json";
    a.click();
    URL.revokeObjectURL(url);
  };
  return (
    <button type="button" class="btn" disabled={!doc} onClick={save}>
      <Icon of={Download} /> OpenAPI
      <span class="sr">{t("api.download")}</span>
    </button>
  );
}

function TryIt({ op, model }: { op: Operation; model: HttpApiModel }) {
  const { session, i18n, notices, explainError } = useApp();
  const { t } = i18n;
  const [values, setValues] = useState<Readonly<Record<string, string>>>(() => ({ node: session.who.peek()?.node ?? "" }));
  const [body, setBody] = useState(op.body ?? "");
  const badBody = op.body !== null && body.trim() !== "" && !isJson(body);
  const missing = op.params.some((p) => p.in === "path" && !values[p.name]);
  const submit = async (e: Event): Promise<void> => {
    e.preventDefault();
    if (badBody || missing) return;
    if (
      op.method === "DELETE" &&
      !(await notices.ask({ title: `${op.method} ${op.path}`, text: t("api.deleteText"), yes: t("api.send"), danger: true }))
    )
      return;
    await model.send(op, values, body);
  };
  const { api } = useModel((a) => createAddresses(a, location.hostname));
  const { path, query } = fillPath(op, values);
  const q = new URLSearchParams(query).toString();
  const quoted = body.replaceAll("'", "'\\''");
  const curl = `curl -u 'APP_ID:APP_SECRET'${op.method === "GET" ? "" : ` -X ${op.method}`} '${api.value}${path}${q ? `?${q}` : ""}'${op.body !== null && body.trim() !== "" ? ` -d '${quoted}'` : ""}`;
  const error = model.error.value;
  return (
    <>
      <form class="card" onSubmit={(e) => void submit(e)}>
        <header>
          <Method of={op.method} />
          <h2 class="mono">{op.path}</h2>
        </header>
        <div class="body form">
          <p class="soft">{op.summary}</p>
          {op.description === "" || op.description === op.summary ? null : <p class="muted small">{op.description}</p>}
          <div class="form two">
            {op.params.map((p) => (
              <TextField
                key={p.name}
                label={p.required ? `${p.name} *` : p.name}
                value={values[p.name] ?? ""}
                onInput={(v) => setValues({ ...values, [p.name]: v })}
                hint={[p.description, p.options.join(" | ")].filter(Boolean).join(" · ")}
                placeholder={p.type}
                mono
              />
            ))}
          </div>
          {op.body === null ? null : (
            <Field label={t("api.body")} bad={badBody ? t("payload.bad", { encoding: "JSON" }) : undefined}>
              {(id, d) => (
                <textarea
                  id={id}
                  aria-describedby={d}
                  class="input mono"
                  rows={Math.min(14, body.split("\n").length + 1)}
                  value={body}
                  spellcheck={false}
                  onInput={(e) => setBody(e.currentTarget.value)}
                />
              )}
            </Field>
          )}
          <div class="row secret-line">
            <code class="grow small">{curl}</code>
            <CopyButton text={curl} />
          </div>
          <div class="row">
            <button
              type="submit"
              class={op.method === "DELETE" ? "btn primary danger" : "btn primary"}
              disabled={badBody || missing || model.busy.value}
            >
              <Icon of={model.busy.value ? Loader : Send} spin={model.busy.value} /> {t("api.send")}
            </button>
            {missing ? <span class="muted small">{t("api.missing")}</span> : null}
          </div>
        </div>
      </form>
      {error ? (
        <p class="banner danger" role="alert">
          {explainError(error)}
        </p>
      ) : null}
      {model.answer.value ? <Answer of={model.answer.value} /> : null}
    </>
  );
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function Answer({ of }: { of: RawAnswer }) {
  const { i18n } = useApp();
  const { t } = i18n;
  const text = isJson(of.body) ? JSON.stringify(JSON.parse(of.body), null, 2) : of.body;
  return (
    <section class="card" aria-live="polite">
      <header>
        <h2>{t("api.answer")}</h2>
        <Tag tone={of.status < 300 ? "ok" : "danger"}>{of.status}</Tag>
        <span class="muted small">
          {of.took.toFixed(0)} ms · {bytes(of.body.length, i18n.lang.value)}
        </span>
        <CopyButton text={text} />
      </header>
      <pre class="code flat" tabIndex={0}>
        {text === "" ? t("payload.empty") : text.length > 200_000 ? `${text.slice(0, 200_000)}\n…` : text}
      </pre>
    </section>
  );
}
