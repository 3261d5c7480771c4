import { CircleAlert, Compass, FlaskConical } from "lucide";
import type { ComponentType } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { Empty, Loading } from "./components/basics.tsx";
import { AppContext, useApp, useModel } from "./components/context.ts";
import { QuestionDialog } from "./components/Dialog.tsx";
import { Icon } from "./components/Icon.tsx";
import { Palette } from "./components/Palette.tsx";
import { PasswordDialog } from "./components/PasswordDialog.tsx";
import { Shell } from "./components/Shell.tsx";
import { Toasts } from "./components/Toasts.tsx";
import type { App as AppModel } from "./models/app.ts";
import { createLive } from "./models/live.ts";
import { createPalette } from "./models/palette.ts";
import { Login } from "./pages/Login.tsx";
import { type PageProps, type PageRoute, routeOf } from "./routes.tsx";

export function Root({ app }: { app: AppModel }) {
  return (
    <AppContext.Provider value={app}>
      <Gate />
      <QuestionDialog />
      <Toasts />
    </AppContext.Provider>
  );
}

/** Nobody sees a page before the broker knows who asks. */
function Gate() {
  const { session } = useApp();
  const who = session.who.value;
  if (who === undefined) return <div class="progress" role="progressbar" aria-label="BaoMQ" />;
  if (who === null || session.mustChange.value) return <Login />;
  return <Inside />;
}

const ALARM_MS = 10_000;

function Inside() {
  const app = useApp();
  const palette = useModel(createPalette);
  const alarms = useModel((a) => createLive(() => a.api.alarms(), { link: a.link, every: ALARM_MS }));
  const [password, setPassword] = useState(false);
  useEffect(() => {
    const keys = (e: KeyboardEvent): void => {
      const wants = (e.ctrlKey || e.metaKey) && e.key.toLowerCase() === "k";
      const slash = e.key === "/" && !(e.target as Element).closest("input, textarea, select, [contenteditable]");
      if (!wants && !slash) return;
      e.preventDefault();
      palette.open.value = !palette.open.peek();
    };
    addEventListener("keydown", keys);
    return () => removeEventListener("keydown", keys);
  }, [palette]);
  const standing = (alarms.data.value ?? []).reduce((n, node) => n + node.alarms.length, 0);
  return (
    <>
      <Shell
        alarms={standing}
        onPassword={() => setPassword(true)}
        onSearch={() => {
          palette.open.value = true;
        }}
      >
        {app.demo ? (
          <div class="banner info">
            <Icon of={FlaskConical} /> <span>{app.i18n.t("demo.banner")}</span>
          </div>
        ) : null}
        <CurrentPage />
      </Shell>
      <Palette model={palette} />
      {password ? <PasswordDialog onClose={() => setPassword(false)} /> : null}
    </>
  );
}

function CurrentPage() {
  const { router, i18n } = useApp();
  const { path } = router.place.value;
  const route = routeOf(path[0] ?? "");
  const { t } = i18n;
  // A new page starts at its top, with the focus where a screen reader goes on reading.
  const first = useRef(true);
  const where = path.join("/");
  useEffect(() => {
    if (first.current) first.current = false;
    else {
      scrollTo(0, 0);
      document.getElementById("content")?.focus({ preventScroll: true });
    }
  }, [where]);
  if (!route)
    return (
      <Empty
        icon={Compass}
        title={t("notFound.title")}
        actions={
          <a class="btn" href="#/">
            {t("notFound.home")}
          </a>
        }
      >
        <p>{t("notFound.text")}</p>
      </Empty>
    );
  const rest = path.slice(1);
  return <Lazy key={`${route.path}/${rest.join("/")}`} route={route} rest={rest} />;
}

const loaded = new WeakMap<PageRoute, ComponentType<PageProps>>();

/** A page's code comes when it is first opened; the frame stays. */
function Lazy({ route, rest }: { route: PageRoute } & PageProps) {
  const { t } = useApp().i18n;
  const [page, setPage] = useState(() => loaded.get(route) ?? null);
  const [failed, setFailed] = useState(false);
  useEffect(() => {
    if (page) return;
    route.load().then(
      (p) => {
        loaded.set(route, p);
        setPage(() => p);
      },
      () => setFailed(true),
    );
  }, [page, route]);
  if (failed)
    return (
      <Empty
        icon={CircleAlert}
        title={t("error.page")}
        actions={
          <button type="button" class="btn" onClick={() => location.reload()}>
            {t("action.reload")}
          </button>
        }
      >
        <p>{t("error.pageText")}</p>
      </Empty>
    );
  const Component = page;
  return Component ? <Component rest={rest} /> : <Loading />;
}
