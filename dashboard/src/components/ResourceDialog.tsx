/** A server or service that rules write to: made, changed and tried in one form. */
import { CircleAlert, Loader, PlugZap } from "lucide";
import { useEffect, useRef } from "preact/hooks";
import type { ResourceRow, ResourceTypeRow } from "../api/client.ts";
import { faultOf, missingParams } from "../lib/params.ts";
import { createResourceForm } from "../models/resources.ts";
import { useApp, useModel } from "./context.ts";
import { Dialog } from "./Dialog.tsx";
import { SelectField, TextField } from "./form.tsx";
import { Icon } from "./Icon.tsx";
import { ParamsForm } from "./ParamsForm.tsx";
import { Steps } from "./Steps.tsx";

interface Props {
  /** Of these one is chosen; one that is changed has its own. */
  types: readonly ResourceTypeRow[];
  row: ResourceRow | null;
  all: readonly ResourceRow[];
  onClose: () => void;
  onSaved: (row: ResourceRow) => void | Promise<void>;
}

export function ResourceDialog({ types, row, all, onClose, onSaved }: Props) {
  const { i18n, explainError } = useApp();
  const { t } = i18n;
  const model = useModel((app) => createResourceForm(app, types, row, new Set(all.map((r) => r.id))));
  const specs = model.kind.value?.params ?? {};
  const error = model.error.value;
  const message = error === null ? "" : explainError(error);
  const fault = message === "" ? null : faultOf(message, specs);
  const missing = missingParams(model.config.value, specs);
  const said = useRef<HTMLDivElement>(null);
  const steps = model.steps.value;
  useEffect(() => {
    if (steps !== null || error !== null) said.current?.scrollIntoView({ block: "nearest" });
  }, [steps, error]);
  return (
    <Dialog
      title={t(row ? "resources.editOne" : "resources.new", { name: row?.name ?? "" })}
      width={680}
      class="wide-form"
      yes={t(row ? "action.save" : "action.create")}
      disabled={missing.length > 0 || model.name.value.trim() === ""}
      onClose={onClose}
      onYes={async () => {
        const saved = await model.save();
        if (saved === null) return false;
        await onSaved(saved);
        return true;
      }}
    >
      <div class="form two">
        {types.length > 1 && row === null ? (
          <SelectField
            label={t("resources.type")}
            value={model.type.value}
            options={types.map((k) => [k.name, k.title || k.name] as const)}
            onChange={model.choose}
            hint={model.kind.value?.description}
          />
        ) : (
          <div class="field">
            <span class="label">{t("resources.type")}</span>
            <b>{model.kind.value?.title ?? model.type.value}</b>
          </div>
        )}
        <TextField
          label={t("field.name")}
          value={model.name.value}
          disabled={model.existing}
          required
          onInput={(v) => {
            model.name.value = v;
          }}
        />
      </div>
      <ParamsForm
        key={model.type.value}
        specs={specs}
        values={model.config.value}
        wrong={fault ? { [fault.field]: fault.text } : {}}
        onChange={(v) => {
          model.config.value = v;
        }}
      />
      <div ref={said} class="stack tight" aria-live="polite">
        {error !== null && fault === null ? (
          <p class="banner danger" role="alert">
            <Icon of={CircleAlert} /> {message}
          </p>
        ) : null}
        {steps !== null ? (
          <div class="card">
            <Steps steps={steps} />
          </div>
        ) : null}
      </div>
      <div class="row">
        <button type="button" class="btn" disabled={model.testing.value || missing.length > 0} onClick={() => void model.test()}>
          <Icon of={model.testing.value ? Loader : PlugZap} spin={model.testing.value} /> {t("resources.test")}
        </button>
        <span class="muted small grow">
          {t(missing.length > 0 ? "resources.missing" : "resources.testText", {
            names: missing.map((m) => specs[m]?.title ?? m).join(", "),
          })}
        </span>
      </div>
    </Dialog>
  );
}
