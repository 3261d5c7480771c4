import {
  Bell,
  ChevronsUpDown,
  CirclePause,
  CirclePlay,
  KeyRound,
  Languages,
  LogOut,
  Menu as MenuIcon,
  Moon,
  Search,
  Sun,
  SunMoon,
  WifiOff,
} from "lucide";
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { ThemeChoice } from "../models/prefs.ts";
import { link } from "../models/router.ts";
import { GROUP_TITLES, GROUPS, ROUTES } from "../routes.tsx";
import { useApp } from "./context.ts";
import { Icon, Logo } from "./Icon.tsx";
import { Menu } from "./Menu.tsx";

interface ShellProps {
  children: ComponentChildren;
  onSearch: () => void;
  onPassword: () => void;
  /** Alarms standing now. */
  alarms: number;
}

export function Shell({ children, onSearch, onPassword, alarms }: ShellProps) {
  const app = useApp();
  const { t } = app.i18n;
  const [open, setOpen] = useState(false);
  const page = app.router.page.value;
  useEffect(() => setOpen(false), [app.router.place.value]);
  return (
    <div class="shell">
      <a class="skip" href="#content" onClick={focusContent}>
        {t("nav.skip")}
      </a>
      <aside class={open ? "sidebar open" : "sidebar"} id="sidebar">
        <a class="brand" href="#/" aria-label={t("nav.home")}>
          <Logo /> BaoMQ
        </a>
        <nav class="nav" aria-label={t("nav.label")}>
          {GROUPS.map((group) => (
            <section key={group} aria-label={t(GROUP_TITLES[group])}>
              <h2>{t(GROUP_TITLES[group])}</h2>
              {ROUTES.filter((r) => r.group === group).map((r) => (
                <a key={r.path} href={link(r.path)} aria-current={page === r.path ? "page" : undefined} onClick={() => setOpen(false)}>
                  <Icon of={r.icon} /> {t(r.title)}
                  {r.path === "alarms" && alarms > 0 ? <span class="tag danger count">{alarms}</span> : null}
                </a>
              ))}
            </section>
          ))}
        </nav>
        <div class="sidebar-foot">
          <UserMenu onPassword={onPassword} />
        </div>
      </aside>
      <button
        type="button"
        class={open ? "scrim open" : "scrim"}
        aria-label={t("nav.close")}
        tabIndex={open ? 0 : -1}
        onClick={() => setOpen(false)}
      />
      <div class="main">
        <TopBar onSearch={onSearch} alarms={alarms} menuOpen={open} onMenu={() => setOpen(!open)} />
        <main class="content" id="content" tabIndex={-1}>
          {children}
        </main>
      </div>
    </div>
  );
}

/** The hash belongs to the router, so the skip link moves the focus itself. */
function focusContent(e: Event): void {
  e.preventDefault();
  document.getElementById("content")?.focus();
}

interface TopBarProps {
  onSearch: () => void;
  alarms: number;
  menuOpen: boolean;
  onMenu: () => void;
}

function TopBar({ onSearch, alarms, menuOpen, onMenu }: TopBarProps) {
  const { t } = useApp().i18n;
  const [scrolled, setScrolled] = useState(false);
  useEffect(() => {
    const onScroll = (): void => setScrolled(scrollY > 4);
    addEventListener("scroll", onScroll, { passive: true });
    return () => removeEventListener("scroll", onScroll);
  }, []);
  return (
    <header class={scrolled ? "topbar scrolled" : "topbar"}>
      <button
        type="button"
        class="btn ghost icon menu-button"
        aria-label={t("nav.open")}
        aria-expanded={menuOpen}
        aria-controls="sidebar"
        onClick={onMenu}
      >
        <Icon of={MenuIcon} size={18} />
      </button>
      <button type="button" class="searchbox" onClick={onSearch}>
        <Icon of={Search} size={15} />
        <span>{t("palette.open")}</span>
        <kbd aria-hidden="true">{/Mac|iP/.test(navigator.platform) ? "⌘K" : "Ctrl K"}</kbd>
      </button>
      <span class="grow" />
      <LinkPill />
      {alarms > 0 ? (
        <a
          class="btn ghost icon danger"
          href="#/alarms"
          aria-label={t("alarms.banner", { n: alarms })}
          title={t("alarms.banner", { n: alarms })}
        >
          <Icon of={Bell} />
        </a>
      ) : null}
      <LanguageMenu />
      <ThemeMenu />
    </header>
  );
}

/** Live, paused, or trying to get back. */
function LinkPill() {
  const { link: line, i18n } = useApp();
  const { t } = i18n;
  const state = line.state.value;
  if (state === "reconnecting")
    return (
      <output class="tag warn">
        <Icon of={WifiOff} size={13} /> {t("link.reconnecting")}
      </output>
    );
  const paused = state === "paused";
  const name = t(paused ? "link.resume" : "link.pause");
  return (
    <button
      type="button"
      class="btn ghost small"
      title={name}
      aria-label={name}
      onClick={() => {
        line.paused.value = !paused;
      }}
    >
      <span class={paused ? "status off" : "status ok"}>
        <i class={paused ? "dot off" : "dot"} /> <span class="link-word">{t(paused ? "link.paused" : "link.live")}</span>
      </span>
      <Icon of={paused ? CirclePlay : CirclePause} size={14} />
    </button>
  );
}

export function LanguageMenu() {
  const { prefs, i18n } = useApp();
  return (
    <Menu label={i18n.t("prefs.language")} class="btn ghost icon" button={<Icon of={Languages} />}>
      {(
        [
          ["en", "English"],
          ["zh", "简体中文"],
        ] as const
      ).map(([lang, name]) => (
        <button
          key={lang}
          type="button"
          lang={lang}
          aria-pressed={prefs.lang.value === lang}
          onClick={() => {
            prefs.lang.value = lang;
          }}
        >
          <i class={prefs.lang.value === lang ? "dot" : "dot off"} /> {name}
        </button>
      ))}
    </Menu>
  );
}

const THEMES = [
  ["system", SunMoon, "prefs.system"],
  ["light", Sun, "prefs.light"],
  ["dark", Moon, "prefs.dark"],
] as const;

export function ThemeMenu() {
  const { prefs, i18n } = useApp();
  const now: ThemeChoice = prefs.theme.value;
  return (
    <Menu label={i18n.t("prefs.theme")} class="btn ghost icon" button={<Icon of={THEMES.find(([id]) => id === now)?.[1] ?? SunMoon} />}>
      {THEMES.map(([id, icon, text]) => (
        <button
          key={id}
          type="button"
          aria-pressed={now === id}
          onClick={() => {
            prefs.theme.value = id;
          }}
        >
          <Icon of={icon} /> {i18n.t(text)}
          {now === id ? <i class="dot" style={{ marginInlineStart: "auto" }} /> : null}
        </button>
      ))}
    </Menu>
  );
}

function UserMenu({ onPassword }: { onPassword: () => void }) {
  const { session, i18n } = useApp();
  const { t } = i18n;
  const who = session.who.value;
  if (!who) return null;
  return (
    <Menu
      up
      class="btn ghost wide user"
      button={
        <>
          <span class="avatar" aria-hidden="true" data-letter={[...who.name][0]?.toUpperCase()} />
          <span class="grow ellipsis">
            {`${who.name} `}
            <span class="muted small ellipsis">{who.node}</span>
          </span>
          <Icon of={ChevronsUpDown} size={14} />
        </>
      }
    >
      {who.kind === "user" ? (
        <button type="button" onClick={onPassword}>
          <Icon of={KeyRound} /> {t("password.change")}
        </button>
      ) : null}
      <button type="button" onClick={() => session.logout()}>
        <Icon of={LogOut} /> {t("login.out")}
      </button>
    </Menu>
  );
}
