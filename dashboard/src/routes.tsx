/** Every page in one table: address, text of the menu, icon, how to load it. The menu, the palette and the router all read it. */
import {
  Activity,
  Ban,
  Bell,
  Braces,
  type IconNode,
  Info,
  KeyRound,
  LayoutDashboard,
  ListTree,
  MonitorSmartphone,
  Pin,
  Puzzle,
  Radio,
  Rss,
  Server,
  ShieldCheck,
  ShieldQuestion,
  SlidersHorizontal,
  SquareTerminal,
  Unplug,
  Users,
  Workflow,
} from "lucide";
import type { ComponentType } from "preact";
import type { TextKey } from "./models/i18n.ts";

export interface PageProps {
  /** Segments after the page's own. */
  rest: readonly string[];
}

export interface PageRoute {
  /** First segment of the address. */
  path: string;
  title: TextKey;
  icon: IconNode;
  group: Group;
  load: () => Promise<ComponentType<PageProps>>;
}

export const GROUPS = ["watch", "data", "access", "system", "tools"] as const;
export type Group = (typeof GROUPS)[number];

export const GROUP_TITLES: Readonly<Record<Group, TextKey>> = {
  watch: "nav.watch",
  data: "nav.data",
  access: "nav.access",
  system: "nav.system",
  tools: "nav.tools",
};

export const ROUTES: readonly PageRoute[] = [
  {
    path: "",
    title: "page.overview",
    icon: LayoutDashboard,
    group: "watch",
    load: async () => (await import("./pages/Overview.tsx")).Overview,
  },
  {
    path: "clients",
    title: "page.clients",
    icon: MonitorSmartphone,
    group: "watch",
    load: async () => (await import("./pages/Clients.tsx")).ClientsPage,
  },
  {
    path: "sessions",
    title: "page.sessions",
    icon: Unplug,
    group: "watch",
    load: async () => (await import("./pages/Sessions.tsx")).Sessions,
  },
  {
    path: "subscriptions",
    title: "page.subscriptions",
    icon: Rss,
    group: "watch",
    load: async () => (await import("./pages/Subscriptions.tsx")).Subscriptions,
  },
  { path: "topics", title: "page.topics", icon: ListTree, group: "watch", load: async () => (await import("./pages/Topics.tsx")).Topics },
  {
    path: "retained",
    title: "page.retained",
    icon: Pin,
    group: "watch",
    load: async () => (await import("./pages/Retained.tsx")).RetainedPage,
  },
  { path: "alarms", title: "page.alarms", icon: Bell, group: "watch", load: async () => (await import("./pages/Alarms.tsx")).Alarms },
  { path: "rules", title: "page.rules", icon: Workflow, group: "data", load: async () => (await import("./pages/Rules.tsx")).RulesPage },
  {
    path: "resources",
    title: "page.resources",
    icon: Server,
    group: "data",
    load: async () => (await import("./pages/Resources.tsx")).Resources,
  },
  {
    path: "access",
    title: "page.access",
    icon: ShieldCheck,
    group: "access",
    load: async () => (await import("./pages/Access.tsx")).Access,
  },
  { path: "banned", title: "page.banned", icon: Ban, group: "access", load: async () => (await import("./pages/Banned.tsx")).BannedPage },
  { path: "apps", title: "page.apps", icon: KeyRound, group: "access", load: async () => (await import("./pages/Apps.tsx")).Apps },
  { path: "users", title: "page.users", icon: Users, group: "access", load: async () => (await import("./pages/Users.tsx")).UsersPage },
  {
    path: "explain",
    title: "page.explain",
    icon: ShieldQuestion,
    group: "access",
    load: async () => (await import("./pages/Explain.tsx")).Explain,
  },
  {
    path: "plugins",
    title: "page.plugins",
    icon: Puzzle,
    group: "system",
    load: async () => (await import("./pages/Plugins.tsx")).PluginsPage,
  },
  {
    path: "listeners",
    title: "page.listeners",
    icon: Radio,
    group: "system",
    load: async () => (await import("./pages/Listeners.tsx")).Listeners,
  },
  {
    path: "settings",
    title: "page.settings",
    icon: SlidersHorizontal,
    group: "system",
    load: async () => (await import("./pages/Settings.tsx")).Settings,
  },
  {
    path: "metrics",
    title: "page.metrics",
    icon: Activity,
    group: "system",
    load: async () => (await import("./pages/Metrics.tsx")).MetricsPage,
  },
  {
    path: "websocket",
    title: "page.websocket",
    icon: SquareTerminal,
    group: "tools",
    load: async () => (await import("./pages/WebSocketClient.tsx")).WebSocketClient,
  },
  { path: "api", title: "page.api", icon: Braces, group: "tools", load: async () => (await import("./pages/HttpApi.tsx")).HttpApi },
  { path: "about", title: "page.about", icon: Info, group: "tools", load: async () => (await import("./pages/About.tsx")).About },
];

export const routeOf = (path: string): PageRoute | undefined => ROUTES.find((r) => r.path === path);
