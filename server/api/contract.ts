/**
 * The wire contract of `/api/v3`: types only, the one server file the dashboard may import.
 *
 * Envelope: every JSON answer is HTTP 200 with `{code, data?, meta?}` or `{code, message}`; `code` 0 = success, the others are the table in
 * `admin/codes.ts`. 400, 401 and 404 are plain text (401: `UNAUTHORIZED`; 404: `Not found.`). Unset values of EMQ X 3.1's own fields are the
 * string `"undefined"`, never null.
 * Times ending in `_at` are local server time `YYYY-MM-DD HH:MM:SS`; numbers ending in `_ms` are Unix milliseconds (0 = not yet).
 * A path segment is percent-encoded by the caller (`encodeURIComponent`) and decoded once by the server. A trailing slash never matters.
 * Every body field may be given in the query instead; the query wins. Unknown query keys (`_=123`) are ignored.
 *
 * Paged lists (`Page<T>`): `_page` (1), `_limit` (10000). Filters are ANDed: `field=value` is exact, `_like_field=text` is a
 * case-insensitive "contains", `_sort=field` or `_sort=-field` (descending). With a filter `meta.count` is the number of matches. Order without
 * `_sort` is that of creation. Any field of a row can be sorted by; which can be filtered by is FILTERS in `admin/filters.ts`.
 *
 * Routes beyond the EMQ X 3.1 document:
 *
 * | method and path                                          | query / body                                   | answer (`data`) |
 * |----------------------------------------------------------|------------------------------------------------|-----------------|
 * | GET /connection/username/:username, /nodes/:node/connection/username/:username |                          | Connection[] |
 * | DELETE /connections                                      | body {client_ids: string[]}                    | {kicked: string[], not_found: string[]} |
 * | GET /connections/:clientid/acl                           |                                                | AclCacheEntry[] (112 when offline) |
 * | DELETE /connections/:clientid/acl                        | whole cache                                    | – |
 * | DELETE /sessions/persistent/:clientid, /nodes/:node/sessions/persistent/:clientid |                       | – (102 not_found, running_session) |
 * | PUT /nodes/:node/plugins/:plugin/reload, PUT /plugins/:plugin/(load,unload,reload) |                      | – |
 * | POST /mqtt/publish                                       | + encoding, properties; header `x-receivers`   | – |
 * | POST /mqtt/publish_batch, /mqtt/subscribe_batch, /mqtt/unsubscribe_batch | body: array of the single bodies | BatchResult[] |
 * | GET /mqtt/subscribe                                      | topic (comma list), qos, encoding              | Server-Sent Events, see LiveMessage |
 * | GET /retained                                            | paged, filters                                 | Page<Retained> |
 * | DELETE /retained                                         | _filter (MQTT filter, `#` = all but $-topics)  | {deleted: number} |
 * | GET /retained/:topic                                     | encoding=plain,base64,auto                     | RetainedMessage (102 not_found) |
 * | DELETE /retained/:topic                                  |                                                | – (102 not_found) |
 * | GET /delayed, DELETE /delayed/:id, POST /delayed/:id/send | paged                                         | Page<Delayed>, –, – (102 not_found) |
 * | GET /web_hook/dead_letters                               |                                                | DeadLetter[], newest first |
 * | POST /web_hook/dead_letters/resend, DELETE /web_hook/dead_letters | {ids?: number[]} or {all: true} (resend: neither = all) | {resent: number}: as many as the queue has room for, {deleted: number} (102 while the plugin does not run) |
 * | GET /monitor                                             | from, to (Unix ms), step (s, multiple of 60)   | MonitorHistory |
 * | GET /monitor/current                                     | since (Unix ms: only newer samples)            | MonitorCurrent |
 * | POST /explain                                            | ExplainRequest                                 | ExplainResult: why, what was asked, and the rows of the answers (AskedRow) |
 * | POST /nodes/:node/plugins/:plugin/test                   | PluginTest                                     | PluginTestStep[]: the same of settings that nobody has saved |
 * | GET /nodes/:node/access                                  |                                                | AccessView |
 * | GET, PUT /nodes/:node/acl_file                           | {text}                                         | AclFileRow, AclCheck (108 names line and column; nothing changed) |
 * | POST /acl/check                                          | {text}                                         | AclCheck |
 * | POST /password_hash                                      | HashQuestion                                   | string[]: settings of `password_hash` that fit (108: what would have to be tried takes too long) |
 * | GET /settings                                            | _like_key, app                                 | Setting[] |
 * | PUT /settings                                            | {key: text or null = back to file/default}     | SettingsApplied (108 names the key; nothing changed) |
 * | GET /alarms/present, /alarms/present/:node               |                                                | NodeAlarms[], Alarm[] |
 * | GET /alarms/history, /alarms/history/:node; DELETE /alarms/history | limit                                | NodeAlarmHistory[], AlarmHistory[]; – |
 * | PUT /nodes/:node/listeners/:protocol/:port/(start,stop,restart) | protocol as in the list, e.g. mqtt:tcp; for the port also listen_on, the address or the name | – (102 not_found) |
 * | GET /topics/tree                                         | prefix, limit (200, max 1000)                  | TopicTree |
 * | GET, POST /trace; DELETE /trace/:kind/:what               | TraceRequest                                   | Trace[], –, – |
 * | GET /auth_username, GET, PUT, DELETE /auth_username/:username; POST /auth_username | {username, password}     | string[], Account; 404 while the plugin is off |
 * | GET /auth_clientid, …                                    | {clientid, password}                           | the same |
 * | GET /lua_hook/scripts, /lua_hook/scripts/:name/errors    |                                                | Script[], ScriptErrorRow[] (102 not_found); 404 while the plugin is off |
 * | POST /lua_hook/scripts/:name/(load,unload,reload,enable,disable) |                                        | – (102: why not) |
 * | GET, PUT /log                                            | {level, handler?}                              | {level, levels, handlers: {id, level, destination}[]}, – |
 * | GET /vm/:topic, GET /recon/:topic                        | all, load, memory, …; memory, allocated, …, gc | [name, number or text][] |
 * | GET /rules                                               | paged, filters                                 | Page<RuleRow>; with none of them RuleRow[] |
 * | PUT, DELETE /rules/:id, PUT /rules/:id/(enable,disable,reset_metrics) | the fields to change            | RuleRow; –, – (400, 404 in the body) |
 * | GET /rules/:id/errors, /rules/:id/inspected              |                                                | RuleErrorRow[], InspectedRow[] |
 * | GET, DELETE /rules/:id/actions/:action/dead_letters, POST …/resend | the same                              | DeadLetter[], {deleted}, {resent} |
 * | POST /rules/test                                         | {rawsql, for?, sample?, actions?}              | RuleTestResult |
 * | GET /rules/functions, /rule_events                       |                                                | RuleFunctionRow[], RuleEventRow[] |
 * | GET, POST /rules/capture                                 | {topic, seconds?, limit?}                      | CaptureRow (null: there was none) |
 * | GET /rules_export, POST /rules_import                    | dry_run; a RulesFile                           | RulesFile, ImportResult |
 * | GET /resource_status/:id, POST /resources/:id (start), POST /resources/test | {name, type, config}        | ResourceStatusRow, –, PluginTestStep[] |
 * | PUT /acl/reload, PUT /reload                             |                                                | –, string[] (what was read again; of lines that are not in force: why; 102: what failed, and what was done all the same) |
 * | GET /whoami                                              |                                                | WhoAmI |
 * | GET /openapi.json                                        |                                                | OpenAPI 3.1 document, no envelope |
 * | GET /prometheus/metrics                                  |                                                | Prometheus text |
 *
 * Plain text too: 403 for requests of a page of another origin, 408 for a log-in whose body does not come, 415 for a browser's body that is not
 * application/json, 503 with Retry-After when a limit is in use. A body of more than 8 MiB, 64 levels or 200,000 values is 400 `Bad Request`.
 *
 * POST /auth {username, password} is the only route open without credentials (port 18083); its body has at most 16 KiB. Wrong ones: code 103; too many: HTTP 401 with Retry-After.
 * While the default password stands, or an empty one, and the caller is not on this machine: HTTP 403, text/plain, an explanation.
 */

import type { Code } from "../admin/codes.ts";
import type { Meta } from "../admin/rows.ts";

export type { Code } from "../admin/codes.ts";
export type * from "../admin/extra_rows.ts";
export type * from "../admin/rows.ts";
export type * from "../admin/rule_rows.ts";

export interface Data<T> {
  code: 0;
  data: T;
}
export interface Page<T> extends Data<T[]> {
  meta: Meta;
}
export interface Failure {
  code: Exclude<Code, 0>;
  message: string;
  /** Of what was made all the same, but could not be kept: as without the failure. */
  data?: unknown;
}
