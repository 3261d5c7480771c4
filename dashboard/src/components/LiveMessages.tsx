import { Eraser, Pause, Play, Radio } from "lucide";
import { useState } from "preact/hooks";
import type { PayloadView } from "../lib/payload.ts";
import { createLiveMessages } from "../models/live_messages.ts";
import { Status } from "./basics.tsx";
import { useApp, useModel } from "./context.ts";
import { Icon } from "./Icon.tsx";
import { IconButton } from "./IconButton.tsx";
import { MessageList, ViewChoice } from "./MessageList.tsx";

interface Props {
  title: string;
  lead: string;
  topics: readonly string[];
  /** Begin at once. */
  auto?: boolean;
}

/** What passes on some topics right now; off until asked for, so that looking costs the broker nothing. */
export function LiveMessages({ title, lead, topics, auto = false }: Props) {
  const { t } = useApp().i18n;
  const model = useModel((app) => {
    const m = createLiveMessages(app);
    if (auto) m.start(topics);
    return m;
  });
  const [view, setView] = useState<PayloadView>("auto");
  const running = model.running.value;
  return (
    <section class="card">
      <header>
        <h2>{title}</h2>
        {running ? (
          <Status tone={model.connected.value ? "ok" : "warn"}>
            {model.connected.value ? t("live.count", { n: model.total.value }) : t("live.connecting")}
          </Status>
        ) : null}
        <ViewChoice view={view} onChange={setView} />
        <IconButton
          of={Eraser}
          label={t("live.clear")}
          title={t("live.clear")}
          onClick={() => {
            model.messages.value = [];
          }}
        />
        <button type="button" class="btn small" onClick={() => (running ? model.stop() : model.start(topics))}>
          <Icon of={running ? Pause : Play} size={14} /> {t(running ? "live.stop" : "live.start")}
        </button>
      </header>
      {model.error.value === "" ? null : (
        <p class="banner warn inset" role="alert">
          {model.error.value}
        </p>
      )}
      {model.messages.value.length > 0 ? (
        <MessageList messages={model.messages.value} view={view} />
      ) : (
        <p class="body muted row">
          <Icon of={Radio} /> {running ? t("live.waiting") : lead}
        </p>
      )}
    </section>
  );
}
