import { Play, RotateCw, Square } from "lucide";
import type { Listener } from "../api/client.ts";
import { Failed, Loading, Page, Status, Tag } from "../components/basics.tsx";
import { useApp, useModel } from "../components/context.ts";
import { IconButton } from "../components/IconButton.tsx";
import { SimpleTable } from "../components/SimpleTable.tsx";
import { compact, integer } from "../lib/format.ts";
import { createListeners, nameOf } from "../models/listeners.ts";

export function Listeners() {
  const { i18n } = useApp();
  const { t } = i18n;
  const lang = i18n.lang.value;
  const model = useModel(createListeners);
  const nodes = model.list.data.value;
  const error = model.list.error.value;
  return (
    <Page title={t("page.listeners")} lead={t("listeners.lead")}>
      <div class="stack">
        {!nodes ? <div class="card">{error ? <Failed error={error} retry={() => void model.list.refresh()} /> : <Loading />}</div> : null}
        {nodes?.map((n) => (
          <section key={n.node} class="table-card" aria-label={n.node}>
            {nodes.length > 1 ? <h2 class="card-head mono">{n.node}</h2> : null}
            <SimpleTable<Listener>
              label={t("page.listeners")}
              rows={n.listeners}
              rowKey={(l) => `${l.protocol} ${l.name}`}
              columns={[
                {
                  id: "protocol",
                  label: t("listeners.protocol"),
                  lead: true,
                  cell: (l) => (
                    <span class="row">
                      <span class="key mono">{l.protocol}</span>
                      <span class="muted">{l.name}</span>
                    </span>
                  ),
                },
                { id: "on", label: t("listeners.address"), cell: (l) => <span class="mono">{l.listen_on}</span> },
                {
                  id: "state",
                  label: t("field.state"),
                  cell: (l) => <Status tone={l.running ? "ok" : "off"}>{t(l.running ? "state.running" : "state.stopped")}</Status>,
                },
                {
                  id: "conns",
                  label: t("overview.connections"),
                  cell: (l) => <Fill now={l.current_conns} max={l.max_conns} lang={lang} />,
                },
                { id: "acceptors", label: t("listeners.acceptors"), num: true, wideOnly: true, cell: (l) => l.acceptors },
                { id: "closed", label: t("listeners.closed"), wideOnly: true, cell: (l) => <Closed of={l.shutdown_count} /> },
              ]}
              actions={(l) =>
                l.protocol.startsWith("http") ? null : (
                  <>
                    {l.running ? (
                      <IconButton
                        of={RotateCw}
                        label={t("listeners.restartOne", { name: nameOf(l, n.listeners) })}
                        title={t("listeners.restart")}
                        onClick={() => void model.act(n.node, l, "restart")}
                      />
                    ) : null}
                    <IconButton
                      of={l.running ? Square : Play}
                      label={t(l.running ? "listeners.stopOne" : "listeners.startOne", { name: nameOf(l, n.listeners) })}
                      title={t(l.running ? "listeners.stop" : "listeners.start")}
                      danger={l.running}
                      onClick={() => void model.act(n.node, l, l.running ? "stop" : "start")}
                    />
                  </>
                )
              }
            />
          </section>
        ))}
      </div>
    </Page>
  );
}

function Fill({ now, max, lang }: { now: number; max: number; lang: string }) {
  const share = max > 0 ? (now / max) * 100 : 0;
  return (
    <div class="fill">
      <span title={`${integer(now, lang)} / ${integer(max, lang)}`}>
        {integer(now, lang)} <span class="muted">/ {compact(max, lang)}</span>
      </span>
      <div class={share > 90 ? "meter danger" : "meter"} aria-hidden="true">
        <i style={{ width: `${Math.min(100, share)}%` }} />
      </div>
    </div>
  );
}

function Closed({ of }: { of: Listener["shutdown_count"] }) {
  const entries = Object.entries(of);
  return entries.length === 0 ? (
    <span class="muted">–</span>
  ) : (
    <span class="row">
      {entries.map(([why, n]) => (
        <Tag key={why}>
          {why} {n}
        </Tag>
      ))}
    </span>
  );
}
