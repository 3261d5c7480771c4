/** The file of access rules: checked while it is typed, saved at once in force, what it was before a click away. */
import { CircleAlert, CircleCheck, History, Loader, Save } from "lucide";
import { useRef, useState } from "preact/hooks";
import type { RulesModel } from "../models/access.ts";
import { Failed, Loading } from "./basics.tsx";
import { useApp } from "./context.ts";
import { Icon } from "./Icon.tsx";

const ROWS_MIN = 10;
const ROWS_MAX = 30;

export function AclEditor({ model }: { model: RulesModel }) {
  const { t } = useApp().i18n;
  const area = useRef<HTMLTextAreaElement>(null);
  const [{ top, left }, setScrolled] = useState({ top: 0, left: 0 });
  const file = model.file.data.value;
  const failed = model.file.error.value;
  if (!file) {
    const retry = (): void => void model.file.refresh();
    return <section class="card">{failed ? <Failed error={failed} retry={retry} /> : <Loading rows={3} />}</section>;
  }
  const text = model.draft.value ?? file.text;
  const lines = text.split("\n");
  const check = model.check.value;
  const wrong = check?.error ?? null;
  const saving = model.saving.value;
  /** Where the error is, so that nobody has to count lines. */
  const show = (): void => {
    if (wrong === null) return;
    const before = lines.slice(0, wrong.line - 1);
    const at = before.reduce((n, line) => n + line.length + 1, 0) + wrong.column - 1;
    area.current?.focus();
    area.current?.setSelectionRange(at, at + 1);
  };
  return (
    <section class="card" aria-label={t("access.rules")}>
      <header>
        <h2>{t("access.rules")}</h2>
        <span class="muted small mono">{file.path}</span>
      </header>
      <div class="body stack tight">
        <p class="muted small">{t(file.exists ? "access.rulesText" : "access.builtIn")}</p>
        <div class="acl-edit mono">
          <div class="acl-lines" aria-hidden="true">
            <div style={{ transform: `translateY(${-top}px)` }}>
              {lines.map((_, i) => (
                <span key={i} class={wrong?.line === i + 1 ? "wrong" : ""}>
                  {i + 1}
                </span>
              ))}
            </div>
          </div>
          <div class="acl-sheet">
            {wrong === null ? null : (
              <div class="acl-mark" aria-hidden="true" style={{ transform: `translateY(calc(${wrong.line - 1} * 1lh - ${top}px))` }}>
                <Place line={lines[wrong.line - 1] ?? ""} column={wrong.column} left={left} />
              </div>
            )}
            <textarea
              ref={area}
              class="input mono acl-text"
              aria-label={t("access.rules")}
              aria-invalid={wrong !== null}
              aria-describedby="acl-check"
              spellcheck={false}
              rows={Math.min(ROWS_MAX, Math.max(ROWS_MIN, lines.length + 1))}
              value={text}
              onScroll={({ currentTarget: { scrollTop, scrollLeft } }) => setScrolled({ top: scrollTop, left: scrollLeft })}
              onInput={(e) => {
                model.draft.value = e.currentTarget.value;
              }}
            />
          </div>
        </div>
        <div class="acl-foot">
          <div id="acl-check" class="grow" aria-live="polite">
            {wrong !== null ? (
              <button type="button" class="btn small ghost bad" onClick={show}>
                <Icon of={CircleAlert} size={14} /> {t("access.bad", { ...wrong })}
              </button>
            ) : check === null ? null : (
              <span class="small row good">
                <Icon of={CircleCheck} size={14} /> {t("access.good", { n: check.rules })}
              </span>
            )}
          </div>
          <div class="row">
            {file.former === null || file.former === text ? null : (
              <button
                type="button"
                class="btn"
                onClick={() => {
                  model.draft.value = file.former;
                }}
              >
                <Icon of={History} /> {t("access.former")}
              </button>
            )}
            <button
              type="button"
              class="btn primary"
              disabled={!model.dirty.value || wrong !== null || saving}
              onClick={() => void model.save()}
            >
              <Icon of={saving ? Loader : Save} spin={saving} /> {t("action.save")}
            </button>
          </div>
        </div>
      </div>
    </section>
  );
}

/** Under the word that is wrong: the line once more, unseen, so that it is as wide as in the editor in every script. */
function Place({ line, column, left }: { line: string; column: number; left: number }) {
  const word = /^(?:[\w.']+|"[^"]*"?|.)/u.exec(line.slice(column - 1))?.[0] ?? " ";
  return (
    <div class="acl-place" style={{ transform: `translateX(${-left}px)` }}>
      <span>{line.slice(0, column - 1)}</span>
      <u>
        <span>{word}</span>
      </u>
    </div>
  );
}
