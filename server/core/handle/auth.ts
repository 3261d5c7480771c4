/** AUTH (section 3.15) and enhanced authentication (section 4.12). */
import { decodeAuth, encodeAuth } from "../../mqtt/packets/auth.ts";
import { RC, refusalCode } from "../../mqtt/reason_codes.ts";
import { type ConnectPacket, ProtocolError } from "../../mqtt/types.ts";
import type { Channel } from "../channel.ts";
import type { AuthExchange, AuthResult, ClientInfo } from "../types.ts";
import { authenticated } from "./connect.ts";
import { countGuess, inTurn, judged } from "./guess.ts";
import { refuse } from "./refuse.ts";

type Auth = NonNullable<Channel["auth"]>;

/** CONNECT named an authentication method. */
export function beginAuth(ch: Channel, p: ConnectPacket, client: ClientInfo): void | Promise<void> {
  const method = ch.broker.authMethods.get(p.authMethod as string);
  if (method === undefined) {
    refuse(ch, { code: RC.BAD_AUTHENTICATION_METHOD, why: `authentication method ${p.authMethod} is not supported` });
    return;
  }
  ch.auth = { method: method.name, state: { connect: p } };
  return step(ch, client, p.authData);
}

export function handleAuth(ch: Channel, buf: Uint8Array, body: number, end: number): void | Promise<void> {
  if (ch.version !== 5) {
    ch.malformed(RC.PROTOCOL_ERROR, "AUTH needs MQTT 5.0");
    return;
  }
  const p = decodeAuth(buf, body, end);
  if (p instanceof ProtocolError) {
    ch.malformed(p.code, p.why);
    return;
  }
  ch.broker.metrics.authReceived++;
  // No AUTH without a method in CONNECT [MQTT-4.12.0-7], and never another one [MQTT-4.12.0-5].
  const { auth } = ch;
  if (auth === null || p.method !== auth.method) {
    if (ch.phase === "connecting") refuse(ch, { code: RC.BAD_AUTHENTICATION_METHOD, why: "not the method of CONNECT" });
    else ch.malformed(RC.PROTOCOL_ERROR, "not the authentication method of CONNECT");
    return;
  }
  if (p.code === RC.REAUTHENTICATE && ch.ready) auth.state = {};
  else if (p.code !== RC.CONTINUE_AUTHENTICATION || auth.state === null) {
    ch.malformed(RC.PROTOCOL_ERROR, "AUTH out of turn");
    return;
  }
  const client = ch.client as ClientInfo;
  return inTurn(ch, client, end - body, () => step(ch, client, p.data));
}

function step(ch: Channel, client: ClientInfo, data: Uint8Array | null): void | Promise<void> {
  const { method: name, state } = ch.auth as Auth;
  const method = ch.broker.authMethods.get(name);
  if (method === undefined || state === null) {
    ch.close(RC.UNSPECIFIED_ERROR, "authentication_method_gone");
    return;
  }
  return judged(ch, client, method.step(client, data, state), (a) => apply(ch, client, a));
}

function apply(ch: Channel, client: ClientInfo, a: AuthExchange): void | Promise<void> {
  if (a.status === "continue") return goOn(ch, a.data);
  // Whoever wrote the method need not have been held to the types: what is no clear yes is a no.
  const answer: AuthResult =
    a.status === "success"
      ? { allow: true, isSuper: a.isSuper === true }
      : { allow: false, code: refusalCode(a.code, RC.NOT_AUTHORIZED), why: a.why };
  const data = a.status === "success" ? a.data : null;
  // Also when the client has not waited for it: to hang up early must not make a guess free.
  countGuess(ch, client, answer);
  if (ch.phase === "closed") return;
  const auth = ch.auth as Auth;
  const connect = auth.state?.connect as ConnectPacket | undefined;
  auth.state = null;
  if (ch.phase === "connecting" && connect !== undefined) {
    if (answer.allow) ch.broker.metrics.authSuccess++;
    else ch.broker.metrics.authFailure++;
    return authenticated(ch, connect, client, answer, data);
  }
  if (!answer.allow) {
    ch.close(answer.code, "reauthentication_failed", answer.why);
    return;
  }
  ch.sendPacket(encodeAuth(RC.SUCCESS, auth.method, data));
  ch.broker.metrics.authSent++;
}

function goOn(ch: Channel, data: Uint8Array | null): void {
  if (ch.phase === "closed") return;
  ch.sendPacket(encodeAuth(RC.CONTINUE_AUTHENTICATION, (ch.auth as Auth).method, data));
  ch.broker.metrics.authSent++;
}
