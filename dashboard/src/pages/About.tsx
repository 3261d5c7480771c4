import { BookOpen, Braces, KeyRound, SquareTerminal } from "lucide";
import { CopyButton, Page, Pairs } from "../components/basics.tsx";
import { useApp, useModel } from "../components/context.ts";
import { Icon, Logo } from "../components/Icon.tsx";
import { duration } from "../lib/format.ts";
import { createAddresses } from "../models/addresses.ts";
import { createLive } from "../models/live.ts";
import "../styles/about.css";

export function About() {
  const { i18n, session } = useApp();
  const { t } = i18n;
  const nodes = useModel((a) => createLive(() => a.api.nodes(), { link: a.link, every: 30_000 }));
  const brokers = useModel((a) => createLive(() => a.api.brokers(), { link: a.link, every: 30_000 }));
  const broker = brokers.data.value?.[0];
  const node = nodes.data.value?.[0];
  const { mqtt } = useModel((a) => createAddresses(a, location.hostname));
  const commands = [
    [t("about.subscribe"), `mosquitto_sub ${mqtt.value} -t 'hello/#' -v`],
    [t("about.publish"), `mosquitto_pub ${mqtt.value} -t hello/world -m 'Hi!'`],
    [t("about.cli"), "baomq ctl status"],
  ] as const;
  return (
    <Page title={t("page.about")}>
      <div class="stack">
        <section class="card about-head">
          <Logo size={64} />
          <div>
            <h2>BaoMQ {session.who.value?.product_version ?? ""}</h2>
            <p class="soft">{t("about.text")}</p>
          </div>
        </section>
        <div class="grid cols-2">
          <section class="card">
            <header>
              <h2>{t("about.this")}</h2>
            </header>
            <div class="body">
              <Pairs
                of={[
                  [
                    t("field.node"),
                    <span key="n" class="mono">
                      {node?.name ?? session.who.value?.node}
                    </span>,
                  ],
                  [t("about.version"), broker ? `${broker.product} ${broker.product_version}` : ""],
                  [t("about.compatible"), broker ? `EMQ X ${broker.version}` : ""],
                  [t("about.runtime"), broker?.otp_release ?? ""],
                  [t("about.uptime"), node ? duration(node.uptime_ms / 1000, i18n.lang.value) : ""],
                  [t("about.time"), broker?.datetime ?? ""],
                ]}
              />
            </div>
          </section>
          <section class="card">
            <header>
              <h2>{t("about.start")}</h2>
            </header>
            <div class="body stack tight">
              {commands.map(([name, command]) => (
                <div class="field" key={name}>
                  <span class="label">{name}</span>
                  <div class="row secret-line">
                    <code class="grow">{command}</code>
                    <CopyButton text={command} />
                  </div>
                </div>
              ))}
            </div>
          </section>
        </div>
        <div class="grid about-links">
          {(
            [
              ["#/websocket", SquareTerminal, "page.websocket", "about.websocket"],
              ["#/api", Braces, "page.api", "about.api"],
              ["#/apps", KeyRound, "page.apps", "about.apps"],
              ["#/settings", BookOpen, "page.settings", "about.settings"],
            ] as const
          ).map(([href, icon, title, text]) => (
            <a key={href} class="card pad link-card" href={href}>
              <Icon of={icon} size={20} />
              <h3>{t(title)}</h3>
              <p class="soft small">{t(text)}</p>
            </a>
          ))}
        </div>
        <p class="muted small">{t("about.legal")}</p>
      </div>
    </Page>
  );
}
