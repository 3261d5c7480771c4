/** Parts of a page, each with an address of its own. */
import { useEffect, useRef } from "preact/hooks";

interface Tab {
  id: string;
  text: string;
  href: string;
  /** How much in it wants to be looked at; 0 is not shown. */
  count?: number;
}

/** Where not all find room, the one that is shown is in sight. */
export function Tabs({ label, current, tabs }: { label: string; current: string; tabs: readonly Tab[] }) {
  const nav = useRef<HTMLElement>(null);
  useEffect(() => {
    nav.current?.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [current]);
  return (
    <nav ref={nav} class="tabs" aria-label={label}>
      {tabs.map(({ id, text, href, count = 0 }) => (
        <a key={id} href={href} aria-current={id === current ? "page" : undefined}>
          {text} {count > 0 ? <span class="tag danger">{count}</span> : null}
        </a>
      ))}
    </nav>
  );
}
