/** Rules and resources out of a file: what would change is shown before anything does. */
import { CircleAlert, FileUp } from "lucide";
import { useId } from "preact/hooks";
import type { ImportCounts } from "../api/client.ts";
import { createImport, secretKey } from "../models/rules.ts";
import { useApp, useModel } from "./context.ts";
import { Dialog } from "./Dialog.tsx";
import { TextField } from "./form.tsx";
import { Icon } from "./Icon.tsx";

export function RulesImport({ onClose, onDone }: { onClose: () => void; onDone: () => void }) {
  const { t } = useApp().i18n;
  const model = useModel(createImport);
  const id = useId();
  const plan = model.plan.value;
  const n = plan === null ? 0 : [plan.rules, plan.resources].reduce((sum, c) => sum + c.create.length + c.update.length, 0);
  const ready = plan !== null && plan.errors.length === 0 && plan.secrets.length === 0 && n > 0;
  return (
    <Dialog
      title={t("rules.import.title")}
      width={560}
      onClose={onClose}
      yes={t("rules.import.apply")}
      disabled={!ready || model.busy.value}
      onYes={async () => {
        const done = await model.apply();
        if (done) onDone();
        return done;
      }}
    >
      <div class="field">
        <label for={id}>{t("rules.import.file")}</label>
        <input
          id={id}
          class="input"
          type="file"
          accept="application/json,.json"
          onChange={(e) => {
            const file = e.currentTarget.files?.[0];
            if (file) void model.read(file);
          }}
        />
        <span class="hint">{t("rules.import.text")}</span>
      </div>
      <div class="stack tight" aria-live="polite">
        {model.error.value === null ? null : (
          <p class="banner danger" role="alert">
            <Icon of={CircleAlert} /> {model.error.value}
          </p>
        )}
        {plan === null ? null : (
          <>
            <Counts title={t("page.rules")} of={plan.rules} />
            <Counts title={t("page.resources")} of={plan.resources} />
            {plan.errors.map((e) => (
              <p key={`${e.where} ${e.message}`} class="bad small row">
                <Icon of={CircleAlert} size={14} /> <span class="mono">{e.where}</span> {e.message}
              </p>
            ))}
            {plan.secrets.length > 0 ? (
              <>
                <p class="banner warn">{t("rules.import.secrets")}</p>
                {plan.secrets.map(({ where, field }) => (
                  <TextField
                    key={secretKey(where, field)}
                    type="password"
                    label={`${where}: ${field}`}
                    value={model.secrets.value[secretKey(where, field)] ?? ""}
                    onInput={(v) => model.setSecret(where, field, v)}
                  />
                ))}
                <div class="row">
                  <button type="button" class="btn" disabled={model.busy.value} onClick={() => void model.check()}>
                    <Icon of={FileUp} /> {t("rules.import.again")}
                  </button>
                </div>
              </>
            ) : null}
            {ready ? null : plan.errors.length === 0 && plan.secrets.length === 0 ? <p class="muted">{t("rules.import.same")}</p> : null}
          </>
        )}
      </div>
    </Dialog>
  );
}

function Counts({ title, of }: { title: string; of: ImportCounts }) {
  const { t } = useApp().i18n;
  const rows = [
    [t("rules.import.create"), of.create],
    [t("rules.import.update"), of.update],
    [t("rules.import.unchanged"), of.same],
  ] as const;
  return (
    <div>
      <h3>{title}</h3>
      <dl class="rendered small">
        {rows
          .filter(([, ids]) => ids.length > 0)
          .map(([word, ids]) => (
            <div key={word}>
              <dt class="muted">
                {word} ({ids.length})
              </dt>
              <dd class="mono">{ids.join(", ")}</dd>
            </div>
          ))}
      </dl>
    </div>
  );
}
