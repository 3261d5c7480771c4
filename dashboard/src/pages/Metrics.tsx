import { Failed, Loading, Page } from "../components/basics.tsx";
import { useApp, useModel } from "../components/context.ts";
import { SearchBox } from "../components/form.tsx";
import { bytes, integer } from "../lib/format.ts";
import { createLive } from "../models/live.ts";

/** Every counter since the start, by its name on the wire. */
export function MetricsPage() {
  const { router, i18n } = useApp();
  const { t } = i18n;
  const lang = i18n.lang.value;
  const model = useModel((a) => createLive(() => a.api.metrics(), { link: a.link, every: 3000 }));
  const { q = "" } = router.place.value.query;
  const nodes = model.data.value;
  const error = model.error.value;
  return (
    <Page title={t("page.metrics")} lead={t("metrics.lead")}>
      <div class="toolbar">
        <SearchBox value={q} label={t("metrics.search")} onSearch={(text) => router.patch({ q: text })} />
      </div>
      {!nodes ? <div class="card">{error ? <Failed error={error} retry={() => void model.refresh()} /> : <Loading />}</div> : null}
      {nodes?.map((n) => (
        <div key={n.node} class="stack">
          {nodes.length > 1 ? <h2 class="mono">{n.node}</h2> : null}
          <div class="grid metrics">
            {grouped(n.metrics, q).map(([group, rows]) => (
              <section key={group} class="card pad">
                <h2 class="mono">{group}</h2>
                <dl class="pairs">
                  {rows.map(([name, value]) => (
                    <div key={name}>
                      <dt class="mono small">{name.slice(group.length + 1)}</dt>
                      <dd class="num">
                        {group === "bytes" ? <span title={integer(value, lang)}>{bytes(value, lang)}</span> : integer(value, lang)}
                      </dd>
                    </div>
                  ))}
                </dl>
              </section>
            ))}
          </div>
        </div>
      ))}
    </Page>
  );
}

function grouped(metrics: Readonly<Record<string, number>>, q: string): (readonly [string, (readonly [string, number])[]])[] {
  const out = new Map<string, (readonly [string, number])[]>();
  for (const [name, value] of Object.entries(metrics).sort(([a], [b]) => a.localeCompare(b))) {
    if (!name.includes(q.toLowerCase())) continue;
    const group = name.split("/")[0] ?? name;
    const rows = out.get(group);
    if (rows) rows.push([name, value]);
    else out.set(group, [[name, value]]);
  }
  return [...out];
}
