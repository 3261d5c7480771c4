import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

interface MenuProps {
  /** The button's content. */
  button: ComponentChildren;
  /** For screen readers and the tooltip; absent when the button's own text is its name. */
  label?: string;
  class?: string;
  up?: boolean;
  /** Keep it open on clicks inside (check boxes). */
  sticky?: boolean;
  children: ComponentChildren;
}

/** A button with a list under it; arrow keys move, Escape and a click elsewhere close. */
export function Menu({ button, label, class: className = "btn", up = false, sticky = false, children }: MenuProps) {
  const [open, setOpen] = useState(false);
  const ref = useRef<HTMLDivElement>(null);
  /** Whoever goes on with the keyboard does so from the button. */
  const close = (): void => {
    setOpen(false);
    ref.current?.querySelector<HTMLElement>(":scope > button")?.focus();
  };
  useEffect(() => {
    if (!open) return;
    const root = ref.current;
    const items = (): HTMLElement[] => [...(root?.querySelectorAll<HTMLElement>(".menu-list :is(a, button, input)") ?? [])];
    items()[0]?.focus();
    const outside = (e: Event): void => {
      if (!root?.contains(e.target as Node)) setOpen(false);
    };
    const keys = (e: KeyboardEvent): void => {
      if (e.key === "Escape") close();
      const step = e.key === "ArrowDown" ? 1 : e.key === "ArrowUp" ? -1 : 0;
      if (step === 0) return;
      e.preventDefault();
      const all = items();
      const at = all.indexOf(document.activeElement as HTMLElement);
      all[(at + step + all.length) % all.length]?.focus();
    };
    document.addEventListener("pointerdown", outside);
    document.addEventListener("focusin", outside);
    root?.addEventListener("keydown", keys);
    return () => {
      document.removeEventListener("pointerdown", outside);
      document.removeEventListener("focusin", outside);
      root?.removeEventListener("keydown", keys);
    };
  }, [open]);
  return (
    <div class="menu" ref={ref}>
      <button
        type="button"
        class={className}
        {...(label ? { "aria-label": label, title: label } : {})}
        aria-expanded={open}
        onClick={() => setOpen(!open)}
      >
        {button}
      </button>
      {open ? (
        <div class={up ? "menu-list up" : "menu-list"} onClick={() => sticky || close()}>
          {children}
        </div>
      ) : null}
    </div>
  );
}
