/** Authentication and access rules by asking a web service. EMQ X 3.1; JSON bodies, TLS, `on_error` and the time limit are ours. */
import { sayWhy } from "../../core/access/trace.ts";
import type { AclStep, Action, AuthStep, ClientInfo } from "../../core/types.ts";
import { ignored, integer, oneOf, optional, secret, text, withSecrets } from "../../lib/config_entry.ts";
import { between, type MonoMs } from "../../lib/time.ts";
import { RC } from "../../mqtt/reason_codes.ts";
import { askNoted, shownValue, type Told } from "../_auth/asking.ts";
import { superUser } from "../_auth/lookup.ts";
import { onErrorEntry, passesOn } from "../_auth/outside.ts";
import { defineOutside, type OutsidePlugin, type Source, type SourceHost } from "../_auth/source.ts";
import { NONE, serverUrl, serverUrlOrNone } from "../_backend/address.ts";
import { type SettingKeys, tlsKeys } from "../_backend/advice.ts";
import { laterTimeLimitEntry, rankOf, timeLimitEntry } from "../_backend/calls.ts";
import { Unread } from "../_backend/http.ts";
import { CLIENT_VARIABLES, type Values } from "../_backend/template.ts";
import { tlsEntries, tlsOf, unverifiedBy } from "../_backend/tls.ts";
import type { ValuesOf } from "../plugin.ts";
import { fill, type HttpAnswer, type Method, parseParams, type RequestTemplate, send, shownFields, withoutLiterals } from "./request.ts";
import { type Service, serviceAt } from "./service.ts";

const OURS = { required: false };
const LATER = "EMQ X 3.2 has the key; here a request is sent again at most three times behind a closed connection, at once.";

const CONNECTING = "EMQ X 3.2 has the key; here to connect is part of auth.http.timeout.";

/** Of the 256 that the runtime has under way at a time, to all services of all plugins together (`_backend/http_slots.ts`). The rest would wait there, for those of a silent one too. */
const REQUESTS_MAX = 150;

/** What comes behind the head of a refusal is read for so long, ms, and of so many at a time also where the pool takes all places. */
const UNREAD_MS = 100;
const UNREAD_MIN = 4;

/** The request itself is given up a little behind its call. */
const ABORT_AFTER_MS = 500;

const addressOrNone = (def: string, doc: string) =>
  serverUrlOrNone(def, `${doc} Empty, or left out of a file = nobody is asked.`, { unset: "" });
const params = (def: string, doc: string) => withSecrets(text(def, doc), withoutLiterals);
const method = (def: Method, doc: string) => oneOf(["post", "get"], def, doc);

const config = {
  "auth.http.auth_req": serverUrl(
    "http://127.0.0.1:8991/mqtt/auth",
    "Asked whether a client may come in: 200 = yes, 200 with `ignore` = ask the next one, else no. 301, 307, 308, 407, 408, 429 and 5xx refuse as well, but count as no wrong password; nothing but 502, 503 and 504 raises an alarm.",
  ),
  "auth.http.auth_req.method": method("post", "How it is asked."),
  "auth.http.auth_req.params": params(
    "clientid=%c,username=%u,password=%P",
    "What it is told. Also %a address, %cn and %dn of the certificate.",
  ),
  "auth.http.super_req": addressOrNone(
    "http://127.0.0.1:8991/mqtt/superuser",
    "Asked whether a client that came in may do everything: 200 = yes.",
  ),
  "auth.http.super_req.method": method("post", "How it is asked."),
  "auth.http.super_req.params": params("clientid=%c,username=%u", "What it is told."),
  "auth.http.acl_req": addressOrNone(
    "http://127.0.0.1:8991/mqtt/acl",
    "Asked for each topic: 200 = allowed, 200 with `ignore` = ask the next one, else denied.",
  ),
  "auth.http.acl_req.method": method("get", "How it is asked."),
  "auth.http.acl_req.params": params(
    "access=%A,username=%u,clientid=%c,ipaddr=%a,topic=%t",
    "What it is told. %A is 1 to subscribe, 2 to publish.",
  ),
  "auth.http.timeout": timeLimitEntry("5s"),
  "auth.http.on_error": onErrorEntry("refuses log-ins all the same, and of topics asks the next one, as EMQ X 3.1 did"),
  "auth.http.pool": integer(50, `Requests at a time to each service; to all of them together at most ${REQUESTS_MAX}.`, {
    min: 1,
    max: REQUESTS_MAX,
    ...OURS,
  }),
  "auth.http.content_type": oneOf(["form", "json"], "form", "Form of what is posted.", OURS),
  "auth.http.header.$name": optional(secret("Bearer …", "A header of every request, e.g. auth.http.header.authorization.")),
  ...tlsEntries("auth.http.ssl"),
  "auth.http.request.timeout": laterTimeLimitEntry("auth.http.timeout"),
  // Spelt so there.
  "auth.http.request.connect_timout": ignored("0", CONNECTING, { hidden: true, ...OURS }),
  "auth.http.request.connect_timeout": ignored("0", CONNECTING, { hidden: true, ...OURS }),
  "auth.http.request.retry_times": ignored("3", LATER, { hidden: true, ...OURS }),
  "auth.http.request.retry_interval": ignored("1s", LATER, { hidden: true, ...OURS }),
  "auth.http.request.retry_backoff": ignored("2.0", LATER, { hidden: true, ...OURS }),
};
type Values_ = ValuesOf<typeof config>;

const outside: OutsidePlugin<typeof config> = {
  open: (host, c, many) => httpSource(host, c, headersOf(many("auth.http.header.$name"))),
  onError: (c) => c["auth.http.on_error"],
  unverified(c) {
    const urls = [c["auth.http.auth_req"], c["auth.http.super_req"], c["auth.http.acl_req"]];
    return unverifiedBy(
      "auth.http.ssl",
      urls.some((url) => url !== NONE && url.protocol === "https:"),
      c,
    );
  },
  // A service that answers with an error has answered: EMQ X 3.1 denies by any status but 200, whatever `on_error` says.
  passesOn: (question, failure) => question === "check" && failure !== "refused" && passesOn(question, failure),
};

/** @throws Error naming the key that is no header */
function headersOf(given: ReadonlyMap<string, string | null>): Map<string, string> {
  const headers = new Map<string, string>();
  for (const [name, value] of given) {
    if (value === null) continue;
    try {
      new Headers([[name, value]]);
    } catch {
      throw new Error(`auth.http.header.${name}: expected a header's name and value`);
    }
    headers.set(name, value);
  }
  return headers;
}

/** Of what a service says no more is shown than counts: it may be anything. */
function answerTold({ status, type, body }: HttpAnswer): Told {
  const mountpoint = mountpointOf(body);
  const what = mountpoint !== null ? `mountpoint ${shownValue(mountpoint)}` : body === "ignore" ? body : `${body.length} characters`;
  return { answer: [status, ...(type === "" ? [] : [type]), ...(status === 200 ? [what] : [])].join(", ") };
}

type Which = "auth" | "super" | "acl";
/** null = that is asked of nobody. */
type Ask = (which: Which, values: Values, wanted?: () => boolean) => Promise<HttpAnswer | null>;

function httpSource(host: SourceHost, c: Values_, headers: ReadonlyMap<string, string>): Source {
  const requests = { auth: template(c, "auth", headers), super: template(c, "super", headers), acl: template(c, "acl", headers) };
  const timeoutMs = c["auth.http.request.timeout"] ?? c["auth.http.timeout"];
  const tls = tlsOf("auth.http.ssl", c);
  const pool = c["auth.http.pool"];
  const services = new Set(Object.values(requests).flatMap((request) => request?.url.origin ?? [])).size;
  if (services * pool > REQUESTS_MAX)
    throw new Error(
      `auth.http.pool: expected at most ${Math.floor(REQUESTS_MAX / services)} for each of ${services} services, got ${pool}`,
    );
  const backends = new Map<string, Service>();
  for (const request of Object.values(requests)) {
    const url = request?.url;
    if (url !== undefined && !backends.has(url.origin))
      backends.set(url.origin, serviceAt(host, url, keysOf(requests, url.origin), host.pool(pool), timeoutMs));
  }

  const refusals = new Unread(Math.max(REQUESTS_MAX - services * pool, UNREAD_MIN));
  /** `began`: when its call did, which has waited in line, or is put again behind a closed connection. Nobody waits for what comes behind that one's end. */
  const sent = (request: RequestTemplate, values: Values, began: MonoMs): Promise<HttpAnswer> => {
    const left = (): number => timeoutMs - between(began, host.clock.mono());
    const unread = (response: Response): void => void refusals.drop(response, Math.min(UNREAD_MS, left()));
    return send(request, fill(request, values), { signal: AbortSignal.timeout(Math.max(0, left()) + ABORT_AFTER_MS), tls, unread });
  };

  const ask: Ask = async (which, values, wanted) => {
    const request = requests[which];
    if (request === null) return null;
    const backend = backends.get(request.url.origin) as Service;
    const began = host.clock.mono();
    return askNoted(
      host.clock,
      values.client,
      `${request.method.toUpperCase()} ${request.url.origin}${request.url.pathname}`,
      (client) => shownFields(request, { ...values, client }),
      (unnoticed) => backend.ask(() => sent(request, values, began), wanted, unnoticed, which === "acl" ? rankOf(values.client) : "first"),
      answerTold,
    );
  };

  const check = async (client: ClientInfo, action: Action, topic: string): Promise<AclStep> =>
    verdictOf(client, (await ask("acl", { client, action, topic })) as HttpAnswer);

  return {
    auth: {
      authenticate: (client, password, wanted) => authenticate(ask, requests.super !== null, client, password, wanted),
      rulesKey: "auth.http.acl_req",
      ...(requests.acl !== null && { check }),
    },
    backends: [...backends.values()],
  };
}

/** `asksSuper`: somebody is asked who is a super user. */
async function authenticate(
  ask: Ask,
  asksSuper: boolean,
  client: ClientInfo,
  password: Uint8Array,
  wanted: () => boolean,
): Promise<AuthStep> {
  const { status, body } = (await ask("auth", { client, password }, wanted)) as HttpAnswer;
  if (status !== 200) {
    sayWhy(client, () => `http ${status}: only 200 of auth.http.auth_req lets in`);
    return { allow: false, code: RC.NOT_AUTHORIZED, why: `http ${status}` };
  }
  if (body === "ignore") {
    sayWhy(client, () => IGNORED);
    return null;
  }
  const mountpoint = mountpointOf(body);
  const found = await superUser(
    client,
    asksSuper ? async () => (await ask("super", { client }, wanted))?.status === 200 : null,
    SUPER_KEY,
    wanted,
  );
  const where = mountpoint === null ? "" : `, with the mountpoint ${shownValue(mountpoint)}`;
  sayWhy(client, () => `http 200 lets in${where}; ${found.why}`);
  return { allow: true, isSuper: found.isSuper, ...(mountpoint !== null && { mountpoint }) };
}

const SUPER_KEY = "auth.http.super_req";
const IGNORED = "http 200 with ignore: the next one is asked";

function verdictOf(client: ClientInfo, { status, body }: HttpAnswer): AclStep {
  if (status !== 200) return { verdict: "deny", why: `http ${status}: only 200 of auth.http.acl_req allows` };
  if (body !== "ignore") return { verdict: "allow", why: "http 200 of auth.http.acl_req allows" };
  sayWhy(client, () => IGNORED);
  return null;
}

/** A JSON object may name the client's mountpoint. */
function mountpointOf(body: string): string | null {
  if (!body.startsWith("{")) return null;
  try {
    const { mountpoint } = JSON.parse(body) as { mountpoint?: unknown };
    return typeof mountpoint === "string" ? mountpoint : null;
  } catch {
    return null;
  }
}

function template(c: Values_, which: Which, headers: ReadonlyMap<string, string>): RequestTemplate | null {
  const url = c[`auth.http.${which}_req`];
  if (url === NONE) return null;
  const extra = which === "auth" ? (["P"] as const) : which === "acl" ? (["A", "t"] as const) : [];
  return {
    key: `auth.http.${which}_req`,
    url,
    method: c[`auth.http.${which}_req.method`],
    body: c["auth.http.content_type"],
    headers,
    params: parseParams(c[`auth.http.${which}_req.params`], [...CLIENT_VARIABLES, ...extra]),
  };
}

/** Of the requests that go to this origin. */
function keysOf(requests: Readonly<Record<string, RequestTemplate | null>>, origin: string): SettingKeys {
  const server = Object.values(requests).flatMap((request) => (request?.url.origin === origin ? [request.key] : []));
  const shared = { timeout: "auth.http.timeout", pool: "auth.http.pool", ...tlsKeys("auth.http.ssl") };
  return { server: server.join(", "), ...shared };
}

export const authHttp = defineOutside(
  {
    name: "emqx_auth_http",
    description: "EMQ X Authentication/ACL with HTTP API",
    config,
    liveKeys: {
      "auth.http.auth_req": "string",
      "auth.http.auth_req.method": "enum",
      "auth.http.auth_req.params": "string",
      "auth.http.super_req": "string",
      "auth.http.super_req.method": "enum",
      "auth.http.super_req.params": "string",
      "auth.http.acl_req": "string",
      "auth.http.acl_req.method": "enum",
      "auth.http.acl_req.params": "string",
    },
  },
  outside,
);
