import { Ban, Plus, ShieldCheck } from "lucide";
import { useState } from "preact/hooks";
import type { Banned, BannedAs } from "../api/client.ts";
import { Page, Tag, Time, Value } from "../components/basics.tsx";
import { useApp, useModel } from "../components/context.ts";
import { DataTable } from "../components/DataTable.tsx";
import { Dialog } from "../components/Dialog.tsx";
import { FilterSearch } from "../components/FilterSearch.tsx";
import { FilterSelect } from "../components/FilterSelect.tsx";
import { Check, SelectField, TextField } from "../components/form.tsx";
import { Icon } from "../components/Icon.tsx";
import { type BannedModel, createBanned } from "../models/banned.ts";

export function BannedPage() {
  const { t } = useApp().i18n;
  const model = useModel(createBanned);
  const [adding, setAdding] = useState(false);
  const kind = (as: BannedAs): string => t(`banned.${as}`);
  const add = (
    <button type="button" class="btn primary" onClick={() => setAdding(true)}>
      <Icon of={Plus} /> {t("banned.add")}
    </button>
  );
  return (
    <Page title={t("page.banned")} lead={t("banned.lead")} actions={add}>
      <DataTable<Banned>
        id="banned"
        label={t("page.banned")}
        model={model.table}
        rowKey={(b) => `${b.as} ${b.who}`}
        columns={[
          {
            id: "who",
            label: t("banned.who"),
            sort: "who",
            lead: true,
            clip: true,
            cell: (b) => (
              <span class="key" title={b.who}>
                {b.who}
              </span>
            ),
          },
          { id: "as", label: t("banned.as"), sort: "as", cell: (b) => <Tag>{kind(b.as)}</Tag> },
          { id: "reason", label: t("banned.reason"), sort: "reason", clip: true, cell: (b) => <Value of={b.reason} /> },
          { id: "by", label: t("banned.by"), sort: "by", clip: true, cell: (b) => <Value of={b.by} /> },
          {
            id: "until",
            label: t("banned.until"),
            sort: "until",
            cell: (b) => (typeof b.until === "number" ? <Time ms={b.until * 1000} relative /> : t("banned.forever")),
          },
        ]}
        toolbar={
          <>
            <FilterSearch
              model={model.table}
              label={t("table.searchIn")}
              fields={[
                ["who", t("banned.who")],
                ["reason", t("banned.reason")],
              ]}
            />
            <FilterSelect
              model={model.table}
              field="as"
              label={t("banned.as")}
              any={t("banned.any")}
              options={(["client_id", "username", "ip_address"] as const).map((as) => [as, kind(as)])}
            />
          </>
        }
        actions={(b) => (
          <button type="button" class="btn small" onClick={() => void model.lift(b)} aria-label={t("banned.liftOne", { who: b.who })}>
            {t("banned.lift")}
          </button>
        )}
        empty={{ icon: ShieldCheck, title: t("banned.empty"), children: <p>{t("banned.emptyText")}</p>, actions: add }}
      />
      {adding ? <Add model={model} onClose={() => setAdding(false)} /> : null}
    </Page>
  );
}

const HOUR = 3600;
const TERMS = { hour: HOUR, day: 24 * HOUR, week: 168 * HOUR, month: 720 * HOUR, forever: 0 } as const;
type Term = keyof typeof TERMS;

function Add({ model, onClose }: { model: BannedModel; onClose: () => void }) {
  const { i18n, session } = useApp();
  const { t } = i18n;
  const [as, setAs] = useState<BannedAs>("client_id");
  const [who, setWho] = useState("");
  const [reason, setReason] = useState("");
  const [term, setTerm] = useState<Term>("day");
  const [kick, setKick] = useState(true);
  const save = (): Promise<boolean> =>
    model.ban({
      who: who.trim(),
      as,
      by: session.who.peek()?.name ?? "",
      kick,
      ...(reason === "" ? {} : { reason }),
      ...(TERMS[term] === 0 ? {} : { until: Math.floor(Date.now() / 1000) + TERMS[term] }),
    });
  return (
    <Dialog title={t("banned.add")} yes={t("banned.ban")} danger disabled={who.trim() === ""} onClose={onClose} onYes={save}>
      <SelectField
        label={t("banned.as")}
        value={as}
        onChange={setAs}
        options={[
          ["client_id", t("banned.client_id")],
          ["username", t("banned.username")],
          ["ip_address", t("banned.ip_address")],
        ]}
      />
      <TextField
        label={t(`banned.${as}`)}
        value={who}
        onInput={setWho}
        placeholder={as === "ip_address" ? "192.0.2.7" : ""}
        hint={as === "ip_address" ? t("banned.cidr") : ""}
        mono
        autofocus
      />
      <SelectField
        label={t("banned.term")}
        value={term}
        onChange={setTerm}
        options={(Object.keys(TERMS) as Term[]).map((k) => [k, t(`term.${k}`)] as const)}
      />
      <TextField label={t("banned.reason")} value={reason} onInput={setReason} placeholder={t("optional")} />
      <Check label={t("banned.kick")} checked={kick} onChange={setKick} />
      <p class="muted small row">
        <Icon of={Ban} size={14} /> {t("banned.addText")}
      </p>
    </Dialog>
  );
}
