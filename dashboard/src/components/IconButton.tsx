import type { IconNode } from "lucide";
import { Icon } from "./Icon.tsx";

interface Props {
  of: IconNode;
  /** Its name, read out: with what it is for, where there are several of a kind. */
  label: string;
  /** In the tooltip, in short; without it there is none. */
  title?: string;
  size?: number;
  spin?: boolean;
  /** What it does is hard to take back. */
  danger?: boolean;
  disabled?: boolean;
  /** Of one that stays pressed. */
  pressed?: boolean;
  onClick: () => void;
}

/** A small button with an icon and no text. */
export function IconButton({ of, label, title, size = 15, spin = false, danger = false, disabled = false, pressed, onClick }: Props) {
  return (
    <button
      type="button"
      class={danger ? "btn small icon ghost danger" : "btn small icon ghost"}
      aria-label={label}
      title={title}
      aria-pressed={pressed}
      disabled={disabled}
      onClick={onClick}
    >
      <Icon of={of} size={size} spin={spin} />
    </button>
  );
}
