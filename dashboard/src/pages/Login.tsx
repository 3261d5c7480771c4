import { Loader } from "lucide";
import { useState } from "preact/hooks";
import { useApp } from "../components/context.ts";
import { Check, TextField } from "../components/form.tsx";
import { Icon, Logo } from "../components/Icon.tsx";
import { MIN_PASSWORD } from "../components/PasswordDialog.tsx";
import { LanguageMenu, ThemeMenu } from "../components/Shell.tsx";
import type { TextKey } from "../models/i18n.ts";
import type { LoginFailure } from "../models/session.ts";
import "../styles/login.css";

/** The door; after a first login with the default password, the place to choose an own one. */
export function Login() {
  const { session, i18n } = useApp();
  document.title = `${i18n.t("login.title")} · BaoMQ`;
  return (
    <div class="login">
      <div class="login-tools">
        <LanguageMenu />
        <ThemeMenu />
      </div>
      <main class="login-card">
        <div class="login-brand">
          <Logo size={44} />
          <span>BaoMQ</span>
        </div>
        {session.who.value ? <NewPassword /> : <Credentials />}
      </main>
      <p class="muted small login-foot">{i18n.t("login.foot")}</p>
    </div>
  );
}

const FAILURES: Readonly<Record<LoginFailure, TextKey>> = {
  wrong: "login.wrong",
  throttled: "login.throttled",
  forbidden: "login.forbidden",
  offline: "error.network",
  other: "login.other",
};

function Credentials() {
  const { session, i18n, demo } = useApp();
  const { t } = i18n;
  const [name, setName] = useState("admin");
  const [password, setPassword] = useState(demo ? "public" : "");
  const [remember, setRemember] = useState(false);
  const [busy, setBusy] = useState(false);
  const [bad, setBad] = useState("");
  const submit = async (e: Event): Promise<void> => {
    e.preventDefault();
    if (busy) return;
    setBusy(true);
    const result = await session.login(name.trim(), password, remember);
    setBusy(false);
    if (!result.ok) setBad(t(FAILURES[result.failure], { message: result.message }));
  };
  return (
    <form class="form" onSubmit={(e) => void submit(e)}>
      <h1>{t("login.title")}</h1>
      {session.expired.value && bad === "" ? (
        <p class="banner warn" role="status">
          {t("login.expired")}
        </p>
      ) : null}
      <TextField label={t("login.name")} value={name} onInput={setName} autocomplete="username" required />
      <TextField
        label={t("login.password")}
        type="password"
        value={password}
        onInput={setPassword}
        autocomplete="current-password"
        bad={bad}
        hint={t("login.first")}
        required
        autofocus
      />
      <div class="stack tight">
        <Check label={t("login.remember")} checked={remember} onChange={setRemember} />
        <p class="muted small">{t(remember ? "login.rememberOn" : "login.rememberOff")}</p>
      </div>
      <button type="submit" class="btn primary wide big" disabled={busy || name === "" || password === ""}>
        {busy ? <Icon of={Loader} spin /> : null} {t("login.in")}
      </button>
    </form>
  );
}

function NewPassword() {
  const { session, i18n, explainError, notices } = useApp();
  const { t } = i18n;
  const [old, setOld] = useState("public");
  const [next, setNext] = useState("");
  const [again, setAgain] = useState("");
  const [busy, setBusy] = useState(false);
  const [bad, setBad] = useState("");
  const ready = next.length >= MIN_PASSWORD && next === again && next !== old;
  const submit = async (e: Event): Promise<void> => {
    e.preventDefault();
    if (busy || !ready) return;
    setBusy(true);
    const error = await session.changePassword(old, next);
    setBusy(false);
    if (error) setBad(explainError(error));
    else notices.ok(t("password.changed"));
  };
  const problem =
    next !== "" && next.length < MIN_PASSWORD
      ? t("password.short", { min: MIN_PASSWORD })
      : next !== "" && next === old
        ? t("password.same")
        : "";
  return (
    <form class="form" onSubmit={(e) => void submit(e)}>
      <h1>{t("password.first")}</h1>
      <p class="soft">{t("password.firstText")}</p>
      <input type="text" class="sr" autocomplete="username" value={session.who.value?.name} readOnly tabIndex={-1} aria-hidden="true" />
      {bad === "" ? null : (
        <TextField label={t("password.old")} type="password" autocomplete="current-password" value={old} onInput={setOld} bad={bad} />
      )}
      <TextField
        label={t("password.new")}
        type="password"
        autocomplete="new-password"
        value={next}
        onInput={setNext}
        bad={problem}
        hint={t("password.hint", { min: MIN_PASSWORD })}
        autofocus
      />
      <TextField
        label={t("password.again")}
        type="password"
        autocomplete="new-password"
        value={again}
        onInput={setAgain}
        bad={again !== "" && again !== next ? t("password.differ") : undefined}
      />
      <button type="submit" class="btn primary wide big" disabled={busy || !ready}>
        {busy ? <Icon of={Loader} spin /> : null} {t("password.save")}
      </button>
      <button type="button" class="btn ghost wide" onClick={() => session.logout()}>
        {t("login.out")}
      </button>
    </form>
  );
}
