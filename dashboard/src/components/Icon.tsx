import type { IconNode } from "lucide";
import { h } from "preact";

/** An icon of the Lucide set; decorative, so hidden from screen readers: the label belongs to what carries it. */
export function Icon({ of, size = 16, spin = false }: { of: IconNode; size?: number; spin?: boolean }) {
  return (
    <svg
      class={spin ? "spin" : undefined}
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      stroke-width="1.75"
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
    >
      {of.map(([tag, attrs]) => h(tag, attrs as Record<string, string>))}
    </svg>
  );
}

/** The mark: a bao, its pleats fanning out from one point like a message to its subscribers. */
export function Logo({ size = 26 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden="true">
      <path d="M2.5 22.3C2.5 13.2 8.5 7 16 7s13.5 6.2 13.5 15.3c0 2.5-1.8 4.2-4.3 4.2H6.8c-2.5 0-4.3-1.7-4.3-4.2Z" fill="currentColor" />
      <path
        class="logo-pleat"
        d="M16 8.6v8.6M16 8.6c-1.6 3.8-4.3 6.5-8 8.4M16 8.6c1.6 3.8 4.3 6.5 8 8.4"
        fill="none"
        stroke-width="2.2"
        stroke-linecap="round"
      />
      <circle cx="16" cy="3.9" r="2.6" fill="currentColor" />
    </svg>
  );
}
