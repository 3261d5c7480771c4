import { ChevronRight, ListTree, Pin, Radio, X } from "lucide";
import type { Route, TopicNode } from "../api/client.ts";
import { Empty, Failed, Loading, Page, Tag } from "../components/basics.tsx";
import { useApp, useModel } from "../components/context.ts";
import { DataTable } from "../components/DataTable.tsx";
import { FilterSearch } from "../components/FilterSearch.tsx";
import { Segments } from "../components/form.tsx";
import { Icon } from "../components/Icon.tsx";
import { IconButton } from "../components/IconButton.tsx";
import { LiveMessages } from "../components/LiveMessages.tsx";
import { integer } from "../lib/format.ts";
import { link } from "../models/router.ts";
import { createRoutes, createTree, type TreeModel } from "../models/topics.ts";
import "../styles/topics.css";

export function Topics() {
  const { router, i18n } = useApp();
  const { t } = i18n;
  const { query } = router.place.value;
  const view = query.view === "list" ? "list" : "tree";
  const look = query.look;
  return (
    <Page
      title={t("page.topics")}
      lead={t("topics.lead")}
      actions={
        <Segments
          label={t("topics.view")}
          value={view}
          options={[
            ["tree", t("topics.tree")],
            ["list", t("topics.list")],
          ]}
          onChange={(v) => router.patch({ view: v === "tree" ? null : v, page: null, topic: null })}
        />
      }
    >
      <div class={look ? "topics looking" : "topics"}>
        <div>{view === "tree" ? <Tree /> : <List />}</div>
        {look ? <Look key={look} topic={look} /> : null}
      </div>
    </Page>
  );
}

function Tree() {
  const { t } = useApp().i18n;
  const model = useModel(createTree);
  const root = model.root.data.value;
  const error = model.root.error.value;
  return (
    <div class="card tree" {...(root?.nodes.length ? { role: "tree", "aria-label": t("topics.tree") } : {})} onKeyDown={treeKeys}>
      {!root ? error ? <Failed error={error} retry={() => void model.root.refresh()} /> : <Loading /> : null}
      {root?.nodes.length === 0 ? (
        <Empty icon={ListTree} title={t("topics.empty")}>
          <p>{t("topics.emptyText")}</p>
        </Empty>
      ) : null}
      {root?.nodes.map((n) => (
        <Branch key={n.topic} node={n} model={model} depth={0} />
      ))}
      {root?.truncated ? <p class="body muted">{t("topics.truncated")}</p> : null}
    </div>
  );
}

function Branch({ node, model, depth }: { node: TopicNode; model: TreeModel; depth: number }) {
  const { router, i18n } = useApp();
  const { t } = i18n;
  const lang = i18n.lang.value;
  const open = model.open.value.has(node.topic);
  const below = model.open.value.get(node.topic);
  const looking = router.place.value.query.look === node.topic;
  const indent = { paddingInlineStart: `${10 + depth * 20}px` };
  return (
    <>
      <div
        class="leaf"
        role="treeitem"
        tabIndex={0}
        aria-level={depth + 1}
        aria-expanded={node.children ? open : undefined}
        aria-selected={looking}
        style={indent}
        onClick={() => (node.children ? model.toggle(node.topic) : router.patch({ look: node.topic }))}
      >
        <span class={open ? "twist open" : "twist"}>{node.children ? <Icon of={ChevronRight} size={15} /> : null}</span>
        <span class="mono name">{node.name === "" ? t("topics.emptyLevel") : node.name}</span>
        {node.is_route ? <i class="dot accent" title={t("topics.subscribed")} /> : null}
        <span class="grow" />
        {node.retained > 0 ? (
          <span class="muted small row" title={t("topics.retained", { n: node.retained })}>
            <Icon of={Pin} size={12} /> {integer(node.retained, lang)}
          </span>
        ) : null}
        {node.routes > 0 ? <Tag title={t("topics.routes", { n: node.routes })}>{integer(node.routes, lang)}</Tag> : null}
        <a
          class="btn small icon ghost"
          href={link("topics", { look: node.children && !node.is_route ? `${node.topic}/#` : node.topic })}
          aria-label={t("topics.lookAt", { topic: node.topic })}
          title={t("topics.look")}
          onClick={(e) => e.stopPropagation()}
        >
          <Icon of={Radio} size={14} />
        </a>
      </div>
      {open && below === undefined ? (
        <div class="leaf muted" style={{ paddingInlineStart: `${40 + depth * 20}px` }}>
          {t("state.loading")}
        </div>
      ) : null}
      {open ? below?.nodes.map((n) => <Branch key={n.topic} node={n} model={model} depth={depth + 1} />) : null}
      {open && below?.truncated ? <div class="leaf muted">{t("topics.truncated")}</div> : null}
    </>
  );
}

/** Arrow keys walk the visible leaves, left and right fold and unfold, Enter opens. */
function treeKeys(e: KeyboardEvent): void {
  const at = e.target as HTMLElement;
  if (at.getAttribute("role") !== "treeitem") return;
  const items = [...(at.closest(".tree")?.querySelectorAll<HTMLElement>('[role="treeitem"]') ?? [])];
  const i = items.indexOf(at);
  const expanded = at.getAttribute("aria-expanded");
  if (e.key === "ArrowDown") items[i + 1]?.focus();
  else if (e.key === "ArrowUp") items[i - 1]?.focus();
  else if (e.key === "ArrowRight" && expanded === "true") items[i + 1]?.focus();
  else if (
    e.key === "Enter" ||
    e.key === " " ||
    (e.key === "ArrowRight" && expanded === "false") ||
    (e.key === "ArrowLeft" && expanded === "true")
  )
    at.click();
  else return;
  e.preventDefault();
}

function List() {
  const { t } = useApp().i18n;
  const model = useModel(createRoutes);
  return (
    <DataTable<Route>
      id="routes"
      label={t("page.topics")}
      model={model.table}
      rowKey={(r) => `${r.node} ${r.topic}`}
      columns={[
        {
          id: "topic",
          label: t("field.topic"),
          sort: "topic",
          lead: true,
          clip: true,
          cell: (r) => (
            <a class="key mono" href={link("topics", { view: "list", look: r.topic })} title={r.topic}>
              {r.topic}
            </a>
          ),
        },
        { id: "node", label: t("field.node"), cell: (r) => <span class="mono small">{r.node}</span> },
      ]}
      toolbar={<FilterSearch model={model.table} label={t("table.searchIn")} fields={[["topic", t("field.topic")]]} />}
      actions={(r) => (
        <a class="btn small ghost" href={link("subscriptions", { exact: r.topic })}>
          {t("topics.subscribers")}
        </a>
      )}
      empty={{ icon: ListTree, title: t("topics.empty"), children: <p>{t("topics.emptyText")}</p> }}
    />
  );
}

function Look({ topic }: { topic: string }) {
  const { router, i18n } = useApp();
  const { t } = i18n;
  return (
    <aside class="look" aria-label={t("topics.look")}>
      <div class="look-head">
        <h2 class="mono">{topic}</h2>
        <IconButton of={X} label={t("action.close")} size={16} onClick={() => router.patch({ look: null })} />
      </div>
      <div class="row look-links">
        <a class="btn small" href={link("subscriptions", { exact: topic })}>
          {t("topics.subscribers")}
        </a>
        <a class="btn small" href={link("retained", { filter: topic })}>
          {t("page.retained")}
        </a>
        <a class="btn small" href={link("websocket", { topic })}>
          {t("topics.publish")}
        </a>
      </div>
      <LiveMessages title={t("topics.live")} lead={t("live.lead")} topics={[topic]} auto />
    </aside>
  );
}
