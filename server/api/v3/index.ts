/** Every route of the API, in the order of the list of routes. */

import type { RouteEntry } from "../contract.ts";
import { openApi } from "../openapi.ts";
import { data, json } from "../reply.ts";
import { type AnyRoute, type Kind, route } from "../route.ts";
import * as S from "../schemas.ts";
import { accessRoutes } from "./access.ts";
import { accountRoutes } from "./accounts.ts";
import { appRoutes } from "./apps.ts";
import { bannedRoutes } from "./banned.ts";
import { connectionRoutes } from "./connections.ts";
import { monitoringRoutes } from "./monitoring.ts";
import { nodeRoutes } from "./nodes.ts";
import { pluginRoutes } from "./plugins.ts";
import { pubsubRoutes } from "./pubsub.ts";
import { retainedRoutes } from "./retained.ts";
import { ruleRoutes } from "./rules.ts";
import { scriptRoutes } from "./scripts.ts";
import { sessionRoutes } from "./sessions.ts";
import { settingRoutes } from "./settings.ts";
import { userRoutes } from "./users.ts";
import { webHookRoutes } from "./web_hook.ts";

/** The routes one server has. */
export function routesOn(kind: Kind): AnyRoute[] {
  return ROUTES.filter((r) => r.on === undefined || r.on.includes(kind));
}

/** `GET /api/v3/`; not in its own list (EMQ X 3.1). */
function routeList(kind: Kind): RouteEntry[] {
  return routesOn(kind).map(({ name, method, path, descr }) => ({ name, method, path, descr }));
}

export const rootRoute: AnyRoute = route({
  name: "list_apis",
  method: "GET",
  path: "/",
  descr: "List of routes",
  data: S.list(S.routeEntry),
  handle: ({ server }) => data(routeList(server)),
});

const openApiRoute = route({
  name: "openapi",
  method: "GET",
  path: "/openapi.json",
  descr: "This API as an OpenAPI 3.1 document",
  type: "application/json",
  handle: ({ server, admin }) => json(openApi([rootRoute, ...routesOn(server)], server, admin.product)),
});

/** All of them, wherever they are served. */
export const ROUTES: readonly AnyRoute[] = [
  ...accountRoutes,
  ...userRoutes,
  ...monitoringRoutes,
  ...appRoutes,
  ...bannedRoutes,
  ...accessRoutes,
  ...nodeRoutes,
  ...pluginRoutes,
  ...connectionRoutes,
  ...sessionRoutes,
  ...pubsubRoutes,
  ...retainedRoutes,
  ...settingRoutes,
  ...scriptRoutes,
  ...ruleRoutes,
  ...webHookRoutes,
  openApiRoute,
];
