import { CircleAlert, CircleCheck, X } from "lucide";
import { useApp } from "./context.ts";
import { Icon } from "./Icon.tsx";
import { IconButton } from "./IconButton.tsx";

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
          <IconButton of={X} label={i18n.t("action.close")} size={14} onClick={() => notices.dismiss(toast.id)} />
        </div>
      ))}
    </div>
  );
}
