/** What a plugin's queue has given up, on its page. */
import { Send, Trash2 } from "lucide";
import type { DeadLetter } from "../api/client.ts";
import { bytes, relativeTime } from "../lib/format.ts";
import { createDeadLetters } from "../models/dead_letters.ts";
import { Failed, Loading } from "./basics.tsx";
import { useApp, useModel } from "./context.ts";
import { Icon } from "./Icon.tsx";
import { Pager } from "./Pager.tsx";
import { SimpleTable } from "./SimpleTable.tsx";

export function DeadLetters() {
  const { i18n } = useApp();
  const { t } = i18n;
  const model = useModel(createDeadLetters);
  const { error, data } = model.list;
  const title = t("letters.title");
  const some = model.count.value > 0;
  return (
    <section class="card" aria-label={title}>
      <header>
        <h2>{title}</h2>
        {some ? (
          <span class="row">
            <button type="button" class="btn small" onClick={() => void model.resend()}>
              <Icon of={Send} size={14} /> {t("letters.resendAll")}
            </button>
            <button type="button" class="btn small danger" onClick={() => void model.remove()}>
              <Icon of={Trash2} size={14} /> {t("letters.removeAll")}
            </button>
          </span>
        ) : null}
      </header>
      {!data.value ? (
        error.value ? (
          <Failed error={error.value} retry={() => void model.list.refresh()} />
        ) : (
          <Loading rows={3} />
        )
      ) : !some ? (
        <p class="body muted" role="status">
          {t("letters.empty")}
        </p>
      ) : (
        <>
          <SimpleTable<DeadLetter>
            label={title}
            rows={model.shown.value}
            rowKey={(l) => String(l.id)}
            columns={[
              { id: "why", label: t("letters.why"), lead: true, cell: (l) => l.why },
              { id: "body", label: t("letters.body"), clip: true, cell: (l) => <code title={l.body}>{l.body}</code> },
              { id: "tries", label: t("letters.tries"), num: true, cell: (l) => l.tries },
              { id: "bytes", label: t("letters.size"), num: true, wideOnly: true, cell: (l) => bytes(l.bytes, i18n.lang.value) },
              { id: "at", label: t("letters.at"), cell: (l) => relativeTime(l.at_ms, Date.now(), i18n.lang.value) },
            ]}
            actions={(l) => (
              <>
                <button
                  type="button"
                  class="btn small icon ghost"
                  aria-label={t("letters.resendOne", { id: l.id })}
                  title={t("letters.resend")}
                  onClick={() => void model.resend(l)}
                >
                  <Icon of={Send} size={15} />
                </button>
                <button
                  type="button"
                  class="btn small icon ghost danger"
                  aria-label={t("letters.removeOne", { id: l.id })}
                  title={t("action.delete")}
                  onClick={() => void model.remove(l)}
                >
                  <Icon of={Trash2} size={15} />
                </button>
              </>
            )}
          />
          {model.count.value > model.shown.value.length ? <Pager model={model} /> : null}
        </>
      )}
    </section>
  );
}
