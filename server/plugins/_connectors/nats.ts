/** NATS, with JetStream's acknowledgements by option. */
import { shownAddresses } from "../_backend/address.ts";
import type { Advice, SettingKeys } from "../_backend/advice.ts";
import { compileRowTemplate } from "../_backend/row_template.ts";
import { actionKind, asWritten, resourceKind, type Writing } from "./connector.ts";
import { judgeNats, NatsDriver, type NatsMessage, saysNoStream } from "./nats_driver.ts";
import * as P from "./params.ts";
import { compileFields, compilePayload, fieldsParam, PAYLOAD, shownPayload } from "./payload.ts";

const KEYS: SettingKeys = {
  server: "servers",
  timeout: "timeout",
  pool: "pool_size",
  account: "username, password, token",
  tls: "ssl",
  trust: "cacertfile",
  verify: "verify",
  certificate: "certfile, keyfile",
};

const ADVICE: readonly Advice[] = [
  { codes: ["PermissionViolationError"], says: "the account may not publish to that subject", see: ["question", "account"] },
  { codes: ["AuthorizationError"], words: /authorization violation/i, says: "account and password are not taken", see: ["account"] },
  {
    codes: ["NoResponders", "JetStreamNotEnabled"],
    words: /no responders/i,
    says: "no stream keeps that subject, or JetStream is not enabled",
    see: ["question"],
  },
  { words: /connection refused/i, says: "nobody listens there", see: ["server"] },
];

const RESOURCE = resourceKind({
  name: "nats",
  title: "NATS",
  description: "NATS server",
  params: {
    servers: P.text("127.0.0.1:4222", "Servers", "Hosts and ports, with commas between them."),
    username: P.text("", "User Name", "Account at the server."),
    password: P.secret("Password", "Its password."),
    token: P.secret("Token", "In place of an account."),
    ...P.poolParam(2),
    ...P.TIMEOUT,
    ...P.TLS,
  },
  keys: KEYS,
  advice: ADVICE,
  judge: judgeNats,
  open(c) {
    const addresses = P.serversIn("servers", c.servers, 4222);
    const [tls, timeoutMs, pool] = [P.tlsIn(c), 1000 * c.timeout, c.pool_size];
    const servers = { addresses, username: c.username, password: c.password, token: c.token, pool, timeoutMs, tls };
    return {
      what: `NATS at ${shownAddresses(addresses)}`,
      open: () => NatsDriver.open(servers),
      close: (driver: NatsDriver) => driver.close(),
      lost: (driver: NatsDriver) => driver.lost(),
      probe: (driver: NatsDriver) => driver.probe(),
      pool,
      timeoutMs,
      retries: pool + 1,
    };
  },
});

/** Names with dots between them, no wildcard, no blank. */
const SUBJECT = /^[^\s.*>\0]+(?:\.[^\s.*>\0]+)*$/;

function natsWriting(
  subject: string,
  payload: string,
  headers: Readonly<Record<string, unknown>>,
  stored: boolean,
): Writing<NatsDriver, NatsMessage> {
  const [subjectOf, payloadOf, headersOf] = [compileRowTemplate(subject), compilePayload(payload), compileFields("headers", headers)];
  const checked = (name: string | null): string => {
    if (name === null) throw new Error("subject: a variable in it is not there");
    if (!SUBJECT.test(name))
      throw new Error(`subject: ${JSON.stringify(name.slice(0, 100))} is none: expected names with dots between, without blanks`);
    return name;
  };
  if (subjectOf.constant) checked(subject);
  return {
    make: (row) => ({ subject: checked(subjectOf.strict(row)), payload: payloadOf(row), headers: headersOf(row), id: crypto.randomUUID() }),
    shown: ({ subject, payload }) => `${subject} ${shownPayload(payload)}`,
    write: (driver, items, { wanted }) => asWritten("subject", driver.publish(items, stored, wanted)),
    // A stream for a subject that is the same for all can be made, and all wait for that.
    blames: (err) => !subjectOf.constant && saysNoStream(err),
  };
}

const ACTION = actionKind(["nats"], {
  name: "data_to_nats",
  title: "Data to NATS",
  description: "Publish to NATS",
  params: {
    subject: { ...P.needed("Subject", "Subject of the message; may have variables."), format: "template" } as const,
    ...PAYLOAD,
    headers: fieldsParam("Headers", "Name and value of each; values may have variables."),
    jetstream: P.flag(
      false,
      "JetStream",
      "Wait until a stream says that it has the message. It is known by an id: sent again it is there once.",
    ),
  },
  open: (p) => natsWriting(p.subject, p.payload_tmpl, p.headers, p.jetstream),
});

export const NATS = { resources: [RESOURCE], actions: [ACTION] };
