import { Loader, X } from "lucide";
import type { ComponentChildren } from "preact";
import { useEffect, useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import { useApp } from "./context.ts";
import { Icon } from "./Icon.tsx";
import { IconButton } from "./IconButton.tsx";

interface DialogProps {
  title: string;
  onClose: () => void;
  children: ComponentChildren;
  /** Text of the main button; without it there is none. */
  yes?: string;
  danger?: boolean;
  disabled?: boolean;
  /** Done by the main button; resolve true to close. */
  onYes?: () => Promise<boolean> | boolean;
  width?: number;
  /** The word on the other button. */
  no?: string;
  class?: string;
}

/** A modal dialog on the browser's own `<dialog>`: focus stays inside, Escape closes, focus returns. */
export function Dialog({
  title,
  onClose,
  children,
  yes,
  danger = false,
  disabled = false,
  onYes,
  width = 460,
  no,
  class: className,
}: DialogProps) {
  const { t } = useApp().i18n;
  const ref = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  const [busy, setBusy] = useState(false);
  // Open before the fields inside ask for the focus.
  useLayoutEffect(() => {
    const dialog = ref.current;
    const before = document.activeElement;
    dialog?.showModal();
    return () => {
      dialog?.close();
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  /** Each time it was not done, the first value that was refused is the one to mend. */
  const [refusals, setRefusals] = useState(0);
  useEffect(() => {
    if (refusals > 0) ref.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus();
  }, [refusals]);
  const submit = async (e: Event): Promise<void> => {
    e.preventDefault();
    if (busy || disabled || !onYes) return;
    setBusy(true);
    try {
      if (await onYes()) onClose();
      else setRefusals((n) => n + 1);
    } finally {
      setBusy(false);
    }
  };
  return (
    <dialog
      ref={ref}
      class={className}
      aria-labelledby={titleId}
      style={{ "--dialog": `${width}px` }}
      onCancel={(e) => {
        e.preventDefault();
        onClose();
      }}
    >
      <form method="dialog" onSubmit={(e) => void submit(e)} noValidate>
        <div class="dialog-head">
          <h2 id={titleId}>{title}</h2>
          <IconButton of={X} label={t("action.close")} size={16} onClick={onClose} />
        </div>
        <div class="dialog-main">{children}</div>
        <div class="dialog-foot">
          <button type="button" class="btn" onClick={onClose}>
            {no ?? t(yes ? "action.cancel" : "action.close")}
          </button>
          {yes ? (
            <button type="submit" class={danger ? "btn primary danger" : "btn primary"} disabled={busy || disabled}>
              {busy ? <Icon of={Loader} spin /> : null}
              {yes}
            </button>
          ) : null}
        </div>
      </form>
    </dialog>
  );
}

/** The question of `notices.ask`. */
export function QuestionDialog() {
  const { notices, i18n } = useApp();
  const [typed, setTyped] = useState("");
  const id = useId();
  const q = notices.question.value;
  useEffect(() => setTyped(""), [q]);
  if (!q) return null;
  const ready = !q.typed || typed === q.typed;
  return (
    <Dialog
      key={q.title}
      title={q.title}
      yes={q.yes}
      danger={q.danger}
      disabled={!ready}
      onClose={() => notices.answer(false)}
      onYes={() => {
        notices.answer(true);
        return false;
      }}
    >
      <p class="soft">{q.text}</p>
      {q.typed ? (
        <div class="field">
          <label for={id}>{i18n.t("ask.type", { word: q.typed })}</label>
          <input id={id} class="input mono" value={typed} autocomplete="off" onInput={(e) => setTyped(e.currentTarget.value)} />
        </div>
      ) : null}
    </Dialog>
  );
}
