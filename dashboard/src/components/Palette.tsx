import { ArrowRight, ListTree, MonitorSmartphone, Search, Sparkles } from "lucide";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import type { TextKey } from "../models/i18n.ts";
import type { Hit, Palette as PaletteModel } from "../models/palette.ts";
import { useApp } from "./context.ts";
import { Icon } from "./Icon.tsx";

const KINDS: Readonly<Record<Hit["kind"], { icon: typeof Search; title: TextKey }>> = {
  page: { icon: ArrowRight, title: "palette.pages" },
  action: { icon: Sparkles, title: "palette.actions" },
  client: { icon: MonitorSmartphone, title: "page.clients" },
  topic: { icon: ListTree, title: "page.topics" },
};

export function Palette({ model }: { model: PaletteModel }) {
  const { t } = useApp().i18n;
  const ref = useRef<HTMLDialogElement>(null);
  const open = model.open.value;
  // Before the next key stroke, so that none is lost.
  useLayoutEffect(() => {
    if (open) ref.current?.showModal();
    else ref.current?.close();
  }, [open]);
  const hits = model.hits.value;
  const at = Math.min(model.at.value, hits.length - 1);
  useEffect(() => {
    document.getElementById(`hit-${at}`)?.scrollIntoView({ block: "nearest" });
  }, [at]);
  const close = (): void => {
    model.open.value = false;
  };
  const keys = (e: KeyboardEvent): void => {
    if (e.isComposing) return;
    const step = e.key === "ArrowDown" ? 1 : e.key === "ArrowUp" ? -1 : 0;
    const hit = hits[at];
    if (step !== 0 && hits.length > 0) model.at.value = (at + step + hits.length) % hits.length;
    else if (e.key === "Enter" && hit) model.choose(hit);
    else return;
    e.preventDefault();
  };
  return (
    <dialog ref={ref} class="palette" aria-label={t("palette.open")} onClose={close} onClick={(e) => e.target === ref.current && close()}>
      {open ? (
        <div class="dialog-body">
          <span class="glass">
            <Icon of={Search} size={18} />
          </span>
          <input
            type="text"
            role="combobox"
            aria-expanded="true"
            aria-controls="palette-list"
            aria-activedescendant={hits.length > 0 ? `hit-${at}` : undefined}
            aria-label={t("palette.open")}
            placeholder={t("palette.placeholder")}
            value={model.query.value}
            spellcheck={false}
            autocomplete="off"
            onInput={(e) => {
              model.query.value = e.currentTarget.value;
            }}
            onKeyDown={keys}
          />
          <ul id="palette-list" role="listbox" aria-label={t("palette.results")}>
            {hits.map((hit, i) => (
              <>
                {hit.kind === hits[i - 1]?.kind ? null : (
                  <li key={`g-${hit.kind}`} class="group" role="presentation">
                    {t(KINDS[hit.kind].title)}
                  </li>
                )}
                <li
                  key={`${hit.kind}-${hit.text}`}
                  id={`hit-${i}`}
                  role="option"
                  tabIndex={-1}
                  aria-selected={i === at}
                  onPointerMove={() => {
                    model.at.value = i;
                  }}
                  onClick={() => model.choose(hit)}
                >
                  <Icon of={KINDS[hit.kind].icon} />
                  <span class="ellipsis">{hit.text}</span>
                </li>
              </>
            ))}
            {hits.length === 0 ? <li class="group">{t("palette.none")}</li> : null}
          </ul>
          <div class="foot" aria-hidden="true">
            <span>
              <kbd>↑</kbd> <kbd>↓</kbd> {t("palette.move")}
            </span>
            <span>
              <kbd>↵</kbd> {t("palette.go")}
            </span>
            <span>
              <kbd>esc</kbd> {t("action.close")}
            </span>
          </div>
        </div>
      ) : null}
    </dialog>
  );
}
