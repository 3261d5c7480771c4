/** Short messages at the corner, and questions that must be answered first. */
import { type ReadonlySignal, signal } from "@preact/signals";

export interface Toast {
  id: number;
  tone: "ok" | "bad";
  text: string;
  /** Offered while the toast stands. */
  action?: { label: string; run: () => void };
}

export interface Question {
  title: string;
  text: string;
  /** Word on the button that does it. */
  yes: string;
  danger: boolean;
  /** A word the person has to type first. */
  typed?: string;
}

export interface Notices {
  toasts: ReadonlySignal<readonly Toast[]>;
  ok(text: string, action?: Toast["action"]): void;
  bad(text: string): void;
  dismiss(id: number): void;
  question: ReadonlySignal<Question | null>;
  /** Resolves true when the person agrees. */
  ask(q: Question): Promise<boolean>;
  answer(yes: boolean): void;
}

const OK_MS = 5000;
const ACTION_MS = 10_000;
const BAD_MS = 12_000;
/** Standing at a time. */
const MOST = 3;

export function createNotices(): Notices {
  const toasts = signal<readonly Toast[]>([]);
  const question = signal<Question | null>(null);
  let next = 1;
  let settle: ((yes: boolean) => void) | null = null;

  const dismiss = (id: number): void => {
    toasts.value = toasts.value.filter((t) => t.id !== id);
  };
  const add = (t: Omit<Toast, "id">, ms: number): void => {
    const id = next++;
    // Said again, and the good news of before: one is enough of each.
    const rest = toasts.value.filter((o) => o.text !== t.text && (o.tone === "bad" || t.tone === "bad"));
    toasts.value = [...rest.slice(1 - MOST), { ...t, id }];
    setTimeout(() => dismiss(id), ms);
  };
  const answer = (yes: boolean): void => {
    question.value = null;
    settle?.(yes);
    settle = null;
  };
  return {
    toasts,
    ok: (text, action) => add(action ? { tone: "ok", text, action } : { tone: "ok", text }, action ? ACTION_MS : OK_MS),
    bad: (text) => add({ tone: "bad", text }, BAD_MS),
    dismiss,
    question,
    ask(q) {
      answer(false);
      question.value = q;
      return new Promise((resolve) => {
        settle = resolve;
      });
    },
    answer,
  };
}
