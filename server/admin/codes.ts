/** The codes of the API: those of EMQ X 3.1, by name. `{code: 0}` is success, whatever else is a refusal with a message. */

export const CODE = {
  SUCCESS: 0,
  BAD_RPC: 101,
  UNKNOWN: 102,
  WRONG_CREDENTIALS: 103,
  EMPTY_CREDENTIALS: 104,
  NO_SUCH_USER: 105,
  ADMIN_STAYS: 106,
  MISSING_PARAMETER: 107,
  BAD_PARAMETER: 108,
  NOT_JSON: 109,
  ALREADY_LOADED: 110,
  ALREADY_UNLOADED: 111,
  CLIENT_OFFLINE: 112,
  USER_EXISTS: 113,
  WRONG_OLD_PASSWORD: 114,
  BAD_TOPIC: 115,
  /** Of the rule engine: in the body; the answer is HTTP 200 as ever. */
  BAD_ARGUMENTS: 400,
  NOT_FOUND: 404,
} as const;
export type Code = (typeof CODE)[keyof typeof CODE];

export interface CodeRow {
  readonly code: Code;
  /** What it means. */
  readonly words: string;
  /** Who sends it, and for what; "" = nobody here. */
  readonly sent: string;
}

export const CODES: readonly CodeRow[] = [
  { code: CODE.SUCCESS, words: "Success", sent: "every route" },
  { code: CODE.BAD_RPC, words: "A call to another node failed", sent: "" },
  {
    code: CODE.UNKNOWN,
    words: "Refused, for the reason in the message",
    sent: "whatever has no code of its own: not_found, already_started, storage_failed, …",
  },
  { code: CODE.WRONG_CREDENTIALS, words: "Wrong user name or password", sent: "POST /auth" },
  { code: CODE.EMPTY_CREDENTIALS, words: "User name or password missing or empty", sent: "POST /auth, POST /users, PUT /change_pwd" },
  { code: CODE.NO_SUCH_USER, words: "No such user", sent: "PUT and DELETE /users/:name, PUT /change_pwd" },
  { code: CODE.ADMIN_STAYS, words: "The user admin cannot be deleted", sent: "DELETE /users/admin" },
  { code: CODE.MISSING_PARAMETER, words: "A mandatory parameter is missing", sent: "every route with such parameters" },
  { code: CODE.BAD_PARAMETER, words: "A parameter is of the wrong type or value", sent: "every route with parameters" },
  // As in EMQ X 3.1: a body that is no JSON is HTTP 400, in plain text.
  { code: CODE.NOT_JSON, words: "The body is no JSON", sent: "" },
  // As in the document of EMQ X 3.1, which shows 102 already_started and not_started.
  { code: CODE.ALREADY_LOADED, words: "The plugin runs already", sent: "" },
  { code: CODE.ALREADY_UNLOADED, words: "The plugin does not run", sent: "" },
  {
    code: CODE.CLIENT_OFFLINE,
    words: "The client is not connected, or has no session",
    sent: "DELETE /connections/:clientid, the ACL cache, POST /mqtt/subscribe and /mqtt/unsubscribe",
  },
  { code: CODE.USER_EXISTS, words: "The user exists", sent: "POST /users" },
  { code: CODE.WRONG_OLD_PASSWORD, words: "The old password is wrong", sent: "PUT /change_pwd" },
  {
    code: CODE.BAD_TOPIC,
    words: "A topic or topic filter is missing or not valid",
    sent: "POST /mqtt/…, retained messages, traces, POST /explain, the test of a plugin",
  },
  { code: CODE.BAD_ARGUMENTS, words: "Refused by the rule engine, for the reason in the message", sent: "rules, actions, resources" },
  { code: CODE.NOT_FOUND, words: "The rule engine has no such rule, action, resource or type", sent: "rules, actions, resources" },
];
