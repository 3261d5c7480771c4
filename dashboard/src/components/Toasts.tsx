import { CircleAlert, CircleCheck, X } from "lucide";
import { useApp } from "./context.ts";
import { Icon } from "./Icon.tsx";

export function Toasts() {
  const { notices, i18n } = useApp();
  return (
    <div class="toasts" role="status" aria-live="polite">
      {notices.toasts.value.map((toast) => (
        <div key={toast.id} class={`toast ${toast.tone}`}>
          <Icon of={toast.tone === "ok" ? CircleCheck : CircleAlert} />
          <p>{toast.text}</p>
          {toast.action ? (
            <button
              type="button"
              class="btn small ghost"
              onClick={() => {
                notices.dismiss(toast.id);
                toast.action?.run();
              }}
            >
              {toast.action.label}
            </button>
          ) : null}
          <button type="button" class="btn small icon ghost" aria-label={i18n.t("action.close")} onClick={() => notices.dismiss(toast.id)}>
            <Icon of={X} size={14} />
          </button>
        </div>
      ))}
    </div>
  );
}
