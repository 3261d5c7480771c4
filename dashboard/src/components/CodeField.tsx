/** A text with colours, marks and completion: a plain textarea, and behind it the same text painted. As high as what stands in it. */
import type { ComponentChildren } from "preact";
import { useEffect, useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Completion, Suggestion } from "../lib/completion.ts";
import { useApp } from "./context.ts";

interface Piece {
  at: number;
  end: number;
  class: string;
}

interface Props {
  id?: string;
  label?: string;
  value: string;
  onInput: (value: string) => void;
  /** Pieces in order; what lies between them has no colour. */
  paint: (text: string) => readonly Piece[];
  /** A place to be marked. */
  wrong?: { at: number; end: number } | null;
  complete?: (text: string, caret: number, asked: boolean) => Completion | null;
  rows?: number;
  describedBy?: string;
  invalid?: boolean;
  placeholder?: string;
  autofocus?: boolean;
}

interface Open extends Completion {
  chosen: number;
}

/** Painted letters at most: beyond that the colours end, the text does not. */
const PAINT_MAX = 20_000;

export function CodeField(props: Props) {
  const { value, onInput, paint, wrong = null, complete, rows = 3 } = props;
  const { t } = useApp().i18n;
  const own = useId();
  const list = `${own}-list`;
  const area = useRef<HTMLTextAreaElement>(null);
  const mark = useRef<HTMLSpanElement>(null);
  const popup = useRef<HTMLDivElement>(null);
  const [open, setOpen] = useState<Open | null>(null);
  const chosen = open?.items[open.chosen];

  useEffect(() => {
    if (props.autofocus) area.current?.focus();
  }, [props.autofocus]);

  // Below the caret, within the field.
  useLayoutEffect(() => {
    const [box, at] = [popup.current, mark.current];
    const room = box?.parentElement;
    if (!box || !at || !room) return;
    box.style.insetBlockStart = `${at.offsetTop + at.offsetHeight + 4}px`;
    box.style.insetInlineStart = `${Math.max(0, Math.min(at.offsetLeft, room.clientWidth - box.offsetWidth))}px`;
    box.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" });
  }, [open]);

  const look = (asked: boolean): void => {
    const field = area.current;
    if (!field || !complete) return;
    const found = field.selectionStart === field.selectionEnd ? complete(field.value, field.selectionStart, asked) : null;
    setOpen(found && { ...found, chosen: 0 });
  };

  const take = (item: Suggestion): void => {
    const field = area.current;
    if (!field || !open) return;
    field.focus();
    field.setSelectionRange(open.from, open.to);
    // The browser's own insertion can be undone with its own keys.
    if (!document.execCommand("insertText", false, item.text)) {
      field.setRangeText(item.text, open.from, open.to, "end");
      onInput(field.value);
    }
    const caret = open.from + item.text.length - item.back;
    field.setSelectionRange(caret, caret);
    setOpen(null);
  };

  const keys = (e: KeyboardEvent): void => {
    if (e.isComposing) return;
    if (e.key === " " && e.ctrlKey) {
      e.preventDefault();
      look(true);
      return;
    }
    if (!open) return;
    const step = e.key === "ArrowDown" ? 1 : e.key === "ArrowUp" ? -1 : 0;
    if (step !== 0) setOpen({ ...open, chosen: (open.chosen + step + open.items.length) % open.items.length });
    else if ((e.key === "Enter" || e.key === "Tab") && chosen && !e.shiftKey) take(chosen);
    else if (e.key === "Escape") {
      setOpen(null);
      // It closes the list, not the dialog around it.
      e.stopPropagation();
    } else {
      if (/^(?:Arrow|Home|End|Page)/.test(e.key)) setOpen(null);
      return;
    }
    e.preventDefault();
  };

  return (
    <div class="code-field mono" data-lines={rows}>
      <pre class="code-paint" aria-hidden="true" style={{ "--rows": String(rows) }}>
        {painted(value, paint(value.slice(0, PAINT_MAX)), wrong, open ? open.to : null, mark)}
        {"\n"}
      </pre>
      <textarea
        ref={area}
        {...(props.id ? { id: props.id } : {})}
        class="input code-text"
        aria-label={props.label}
        aria-describedby={props.describedBy}
        aria-invalid={props.invalid ?? false}
        {...(complete
          ? {
              "aria-autocomplete": "list",
              "aria-controls": open ? list : undefined,
              "aria-activedescendant": open ? `${list}-${open.chosen}` : undefined,
            }
          : {})}
        rows={rows}
        value={value}
        placeholder={props.placeholder ?? ""}
        spellcheck={false}
        autocapitalize="off"
        autocomplete="off"
        onInput={(e) => {
          onInput(e.currentTarget.value);
          look(false);
        }}
        onKeyDown={keys}
        onBlur={() => setOpen(null)}
        onClick={() => setOpen(null)}
      />
      {open ? (
        <div class="code-popup" ref={popup}>
          <ul id={list} role="listbox" aria-label={t("code.suggestions")}>
            {open.items.map((item, i) => (
              <li
                key={`${item.kind} ${item.text}`}
                id={`${list}-${i}`}
                role="option"
                tabIndex={-1}
                aria-selected={i === open.chosen}
                // Before the field loses the focus.
                onPointerDown={(e) => {
                  e.preventDefault();
                  take(item);
                }}
              >
                <span class={`code-kind ${item.kind}`} aria-hidden="true" />
                <span class="code-word">{item.text}</span>
                <span class="muted ellipsis">{item.detail}</span>
              </li>
            ))}
          </ul>
          {chosen && chosen.doc !== "" ? <p class="code-doc">{chosen.doc}</p> : null}
        </div>
      ) : null}
    </div>
  );
}

/** The text cut where a colour, the mark or the caret's place begins or ends. */
function painted(
  text: string,
  pieces: readonly Piece[],
  wrong: { at: number; end: number } | null,
  caret: number | null,
  mark: { current: HTMLSpanElement | null },
): ComponentChildren {
  const cuts = new Set([0, text.length]);
  for (const p of pieces) cuts.add(p.at).add(p.end);
  if (wrong) cuts.add(Math.min(wrong.at, text.length)).add(Math.min(wrong.end, text.length));
  if (caret !== null) cuts.add(Math.min(caret, text.length));
  const places = [...cuts].sort((a, b) => a - b);
  const out: ComponentChildren[] = [];
  let piece = 0;
  for (const [i, at] of places.entries()) {
    if (at === caret) out.push(<span key="caret" ref={mark} class="code-caret" />);
    const end = places[i + 1];
    if (end === undefined) break;
    while (piece < pieces.length && (pieces[piece]?.end ?? 0) <= at) piece++;
    const colour = pieces[piece] && (pieces[piece]?.at ?? 0) <= at ? pieces[piece]?.class : "";
    const isWrong = wrong !== null && wrong.at <= at && end <= wrong.end;
    out.push(
      <span key={`${at}`} class={[colour, isWrong ? "code-wrong" : ""].filter(Boolean).join(" ") || undefined}>
        {text.slice(at, end)}
      </span>,
    );
  }
  // Behind the last word there is none to be marked.
  if (wrong !== null && wrong.at >= wrong.end)
    out.push(
      <span key="end" class="code-wrong">
        {" "}
      </span>,
    );
  return out;
}
