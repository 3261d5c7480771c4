/** What could not be delivered and is kept, of an action or a plugin: a card with what may be done about it. */
import { Mail, RefreshCw, Trash2 } from "lucide";
import type { DeadLetter, LetterKeeper } from "../api/client.ts";
import { bytes } from "../lib/format.ts";
import { createDeadLetters, type DeadLettersModel } from "../models/dead_letters.ts";
import { Empty, Tag, Time } from "./basics.tsx";
import { useApp, useModel } from "./context.ts";
import { Check } from "./form.tsx";
import { Icon } from "./Icon.tsx";
import { Pager } from "./Pager.tsx";
import { Records } from "./Records.tsx";

export function DeadLetters({ of, title }: { of: LetterKeeper; title: string }) {
  const { t } = useApp().i18n;
  const model = useModel((app) => createDeadLetters(app, of));
  const count = model.count.value;
  const n = model.selected.value.size;
  return (
    <section class="card" aria-label={title}>
      <header>
        <h2>{title}</h2>
        {count > 0 ? (
          <div class="row">
            <Check
              label={n === 0 ? t("letters.all", { n: count }) : t("letters.chosen", { n, count })}
              checked={n === count}
              onChange={model.selectAll}
            />
            <button type="button" class="btn small" disabled={n === 0} onClick={() => void model.resend()}>
              <Icon of={RefreshCw} size={14} /> {t("letters.resend")}
            </button>
            <button type="button" class="btn small danger" disabled={n === 0} onClick={() => void model.remove()}>
              <Icon of={Trash2} size={14} /> {t("action.delete")}
            </button>
          </div>
        ) : null}
      </header>
      <Records
        of={model.list}
        shown={model.shown.value}
        rowKey={(l) => String(l.id)}
        empty={<Empty icon={Mail} title={t("letters.empty")} />}
      >
        {(l) => <Letter of={l} model={model} />}
      </Records>
      {count > model.shown.value.length ? <Pager model={model} /> : null}
    </section>
  );
}

function Letter({ of: l, model }: { of: DeadLetter; model: DeadLettersModel }) {
  const { i18n } = useApp();
  const { t } = i18n;
  return (
    <>
      <div class="row">
        <Check
          label={<span class="sr">{t("letters.choose", { n: l.id })}</span>}
          checked={model.selected.value.has(l.id)}
          onChange={(on) => model.select(l.id, on)}
        />
        <Time ms={l.at_ms} />
        <Tag>{t("letters.tries", { n: l.tries })}</Tag>
        <span class="muted small">{bytes(l.bytes, i18n.lang.value)}</span>
      </div>
      <p class="bad">{l.why}</p>
      <pre class="code">{l.body}</pre>
    </>
  );
}
