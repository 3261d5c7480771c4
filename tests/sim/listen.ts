/** What the simulation hears and says inside the broker: wills and delayed messages as they go out, and the access chain. */
import type { AclStep, AuthStep, ClientInfo } from "../../server/core/types.ts";
import type { Conn } from "./conn.ts";
import { SLOW } from "./model/packets.ts";
import { numberOf } from "./model/payload.ts";
import { STOPPED } from "./model/topics.ts";
import type { World } from "./world.ts";

/** An answer of the access chain that is not there yet. */
export interface Awaited {
  kind: "connect" | "publish" | "subscribe";
  conn: Conn | undefined;
  topic: string | null;
  answer: () => void;
}

export function listen(w: World): void {
  const { managed, model } = w;
  for (const prefix of ["w/", "d/"]) {
    managed.hook(
      "message.publish",
      `sim ${prefix}`,
      (m) => {
        const n = numberOf(m.payload);
        const known = model.msgs[n];
        if (known !== undefined && (known.kind === "will" || known.kind === "delayed")) model.published.push(n);
        return m;
      },
      50,
      { prefix },
    );
  }
  // Before anybody else, the retainer too.
  managed.hook("message.publish", "sim stops", () => null, 1000, { prefix: STOPPED });
  managed.hook("client.authenticate", "sim", (client) => authenticate(w, client), 10, null);
  if (w.acl) managed.hook("client.check_acl", "sim", (client, action, topic) => allow(w, client, action, topic), 10, null);
}

function authenticate(w: World, client: ClientInfo): AuthStep | Promise<AuthStep> {
  if (client.username === "bad") return { allow: false, code: 0x87, why: "simulated" };
  if (client.username !== "slow") return null;
  const conn = connOf(w, client);
  return new Promise((done) => w.awaited.push({ kind: "connect", conn, topic: null, answer: () => done({ allow: true }) }));
}

function allow(w: World, client: ClientInfo, action: "publish" | "subscribe", topic: string): AclStep | Promise<AclStep> {
  if (w.denies(topic)) return { verdict: "deny" };
  if (!topic.startsWith(SLOW)) return null;
  const conn = connOf(w, client);
  return new Promise((done) => w.awaited.push({ kind: action, conn, topic, answer: () => done({ verdict: "allow" }) }));
}

const connOf = (w: World, client: ClientInfo): Conn | undefined => w.conns.find((c) => c.channel.client === client);
