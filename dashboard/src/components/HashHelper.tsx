/** Which `password_hash` fits what stands in somebody's table? */
import { CircleAlert, Loader, SearchCheck } from "lucide";
import { useState } from "preact/hooks";
import type { ApiError } from "../api/transport.ts";
import type { AccessModel } from "../models/access.ts";
import { useApp } from "./context.ts";
import { TextField } from "./form.tsx";
import { Icon } from "./Icon.tsx";

/** As a directory keeps passwords: the scheme stands before the hash. */
const isOfDirectory = (stored: string): boolean => /^\{[\w./-]+\}./.test(stored.trim());

const UNKNOWN = 102;

/** For all else that has no code of its own the broker's words are shown. */
const isTooMuch = ({ kind, code, message }: ApiError): boolean => kind === "code" && code === UNKNOWN && /^too many /.test(message);

export function HashHelper({ model }: { model: AccessModel["hash"] }) {
  const { i18n, explainError } = useApp();
  const { t } = i18n;
  const [stored, setStored] = useState("");
  const [salt, setSalt] = useState("");
  const [password, setPassword] = useState("");
  const [rounds, setRounds] = useState("");
  const found = model.found.value;
  const busy = model.busy.value;
  const run = (e: Event): void => {
    e.preventDefault();
    const iterations = Number(rounds);
    void model.find({
      stored,
      password,
      ...(salt === "" ? {} : { salt }),
      ...(rounds === "" || !Number.isInteger(iterations) || iterations < 1 ? {} : { iterations }),
    });
  };
  return (
    <section class="card" aria-label={t("access.hash")}>
      <header>
        <h2>{t("access.hash")}</h2>
      </header>
      <form class="body form" onSubmit={run}>
        <p class="muted small">{t("access.hashText")}</p>
        <TextField label={t("access.stored")} value={stored} onInput={setStored} mono required />
        <TextField label={t("access.salt")} value={salt} onInput={setSalt} placeholder={t("optional")} mono />
        <TextField label={t("login.password")} type="password" autocomplete="off" value={password} onInput={setPassword} required />
        <TextField label={t("access.iterations")} type="number" value={rounds} onInput={setRounds} placeholder={t("optional")} />
        <button type="submit" class="btn primary" disabled={busy || stored === "" || password === ""}>
          <Icon of={busy ? Loader : SearchCheck} spin={busy} /> {t("access.find")}
        </button>
      </form>
      <div class="body" aria-live="polite">
        {model.error.value ? (
          <p class="banner danger" role="alert">
            <Icon of={CircleAlert} /> {isTooMuch(model.error.value) ? t("access.hashBusy") : explainError(model.error.value)}
          </p>
        ) : null}
        {found === null ? null : found.length === 0 ? (
          <p class="small">{t(isOfDirectory(stored) ? "access.ldapHash" : "access.noFit")}</p>
        ) : (
          <>
            <p class="small">{t("access.fits")}</p>
            <ul class="fits">
              {found.map((text) => (
                <li key={text}>
                  <code>password_hash = {text}</code>
                </li>
              ))}
            </ul>
          </>
        )}
      </div>
    </section>
  );
}
