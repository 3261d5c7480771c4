import { useState } from "preact/hooks";
import { useApp } from "./context.ts";
import { Dialog } from "./Dialog.tsx";
import { TextField } from "./form.tsx";

export const MIN_PASSWORD = 8;

/** The person's own password. */
export function PasswordDialog({ onClose }: { onClose: () => void }) {
  const { session, i18n, notices, explainError } = useApp();
  const { t } = i18n;
  const [old, setOld] = useState("");
  const [next, setNext] = useState("");
  const [again, setAgain] = useState("");
  const [bad, setBad] = useState("");
  const save = async (): Promise<boolean> => {
    const error = await session.changePassword(old, next);
    if (!error) {
      notices.ok(t("password.changed"));
      return true;
    }
    setBad(explainError(error));
    return false;
  };
  const differ = again !== "" && again !== next;
  return (
    <Dialog
      title={t("password.change")}
      yes={t("password.change")}
      onClose={onClose}
      onYes={save}
      disabled={next.length < MIN_PASSWORD || next !== again || old === ""}
    >
      <TextField
        label={t("password.old")}
        type="password"
        autocomplete="current-password"
        value={old}
        onInput={setOld}
        bad={bad}
        autofocus
      />
      <NewPassword label={t("password.new")} value={next} onInput={setNext} />
      <TextField
        label={t("password.again")}
        type="password"
        autocomplete="new-password"
        value={again}
        onInput={setAgain}
        bad={differ ? t("password.differ") : undefined}
      />
    </Dialog>
  );
}

interface NewProps {
  label: string;
  value: string;
  onInput: (password: string) => void;
  hint?: string;
  required?: boolean;
}

/** One that is to be set; that it is too short is said once there is something. */
export function NewPassword({ label, value, onInput, hint, required = false }: NewProps) {
  const { t } = useApp().i18n;
  const short = value !== "" && value.length < MIN_PASSWORD;
  return (
    <TextField
      label={label}
      type="password"
      autocomplete="new-password"
      value={value}
      onInput={onInput}
      bad={short ? t("password.short", { min: MIN_PASSWORD }) : undefined}
      hint={hint}
      required={required}
    />
  );
}
