/** What one listener lets in: from where, how much at a time, and how much of that for one network or one caller. */
import type { HttpListenerConfig } from "../config/types.ts";
import { type Cidr, cidrContains, parseCidr, parseIp } from "../lib/cidr.ts";
import { type Peer, peerOf } from "./peer.ts";
import { busy, endOf, text } from "./reply.ts";
import type { Kind, Streaming } from "./route.ts";
import { Places, Slots } from "./slots.ts";

export type Server = Bun.Server<undefined>;

/** Log-ins whose body is not there yet: of one network, of all, and how long they may take. */
const LOGINS_EACH = 8;
const LOGINS_ALL = 64;
const LOGIN_MS = 5000;
/** Bytes of bodies that are being received: of one caller, of all. */
const BODIES_EACH = 32 * 1024 * 1024;
const BODIES_ALL = 64 * 1024 * 1024;
/** The runtime counts no further. */
const TIMEOUT_MAX_S = 255;
/** The shortest time-out there is: cut off. */
const AT_ONCE_S = 1;

/** Somebody has its share, or all is taken. */
export class Busy extends Error {}

export type Limits = Pick<HttpListenerConfig, "access" | "maxClients" | "sendTimeoutMs" | "trustedProxies">;

/** null = everybody may. */
function accessRules(rules: HttpListenerConfig["access"]): ((address: string) => boolean) | null {
  const ranges = rules.flatMap(({ allow, cidr }) => {
    const range = parseCidr(cidr);
    return range ? [{ allow, range }] : [];
  });
  if (ranges.length === 0) return null;
  return (address) => {
    const ip = parseIp(address);
    // An address that cannot be read is in no range, and so in none that `deny` may be about.
    return ip !== null && (ranges.find((r) => cidrContains(r.range, ip))?.allow ?? true);
  };
}

const part = (n: number, of: number): number => Math.max(1, Math.floor(n / of));

export class Gate {
  readonly trusted: readonly Cidr[];
  readonly logins: Places;
  readonly bodies = new Slots(BODIES_EACH, BODIES_ALL);
  readonly requests: Slots;
  readonly streams: Slots;
  readonly sendTimeoutS: number;
  readonly #allows: ((address: string) => boolean) | null;
  readonly #max: number;
  #isClosed = false;

  constructor(
    readonly kind: Kind,
    o: Limits,
  ) {
    this.#allows = accessRules(o.access);
    this.#max = o.maxClients;
    this.trusted = o.trustedProxies.flatMap((text) => parseCidr(text) ?? []);
    this.logins = new Places(LOGINS_EACH, Math.min(LOGINS_ALL, part(o.maxClients, 4)), LOGIN_MS);
    this.requests = new Slots(part(o.maxClients, 2), o.maxClients);
    this.streams = new Slots(part(o.maxClients, 4), part(o.maxClients, 2));
    this.sendTimeoutS = Math.min(TIMEOUT_MAX_S, Math.max(AT_ONCE_S, Math.ceil(o.sendTimeoutMs / 1000)));
  }

  /** Its listener has been stopped: what goes on for as long as its client likes ends. */
  close(): void {
    this.#isClosed = true;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Before anything is looked at. The rules look at the socket's own address, as those of the MQTT listeners. null = come in. */
  refusal(address: () => string, pending: number): Response | null {
    if (this.#allows !== null && !this.#allows(address())) return text("Forbidden", 403);
    return pending > this.#max ? busy("Too many requests at a time") : null;
  }
}

/** One request on its way: from whom it is, and what it holds until its answer is out. */
export class Visit {
  readonly peer: Peer;
  readonly #held: (() => void)[] = [];
  #streams = false;

  constructor(
    readonly gate: Gate,
    readonly request: Request,
    private readonly server: Server,
  ) {
    this.peer = peerOf(() => server.requestIP(request)?.address ?? "", request.headers, gate.trusted);
  }

  /** @throws Busy */
  take(slots: Slots, key: string, words: string, amount = 1): void {
    const release = slots.take(key, amount);
    if (release === null) throw new Busy(words);
    this.#held.push(release);
  }

  /**
   * The answer goes on for as long as the client likes: its comments keep the idle time-out away. `standing`: what the caller comes in by, as
   * it is when asked; null = nothing does any more. @throws Busy
   */
  stream(key: string, standing: () => string | null): Streaming {
    this.take(this.gate.streams, key, "Too many event streams at a time for one application or user");
    this.#streams = true;
    const before = standing();
    return {
      cut: () => void this.server.timeout(this.request, AT_ONCE_S),
      isOver: () => this.gate.isClosed || before === null || standing() !== before,
    };
  }

  /** What was held goes back when the last byte is on its way. */
  answered(response: Response): Response {
    if (!this.#streams) this.server.timeout(this.request, this.gate.sendTimeoutS);
    const end = endOf(response);
    if (end === undefined) this.release();
    else void end.then(() => this.release());
    return response;
  }

  /** No answer will hold it any longer. */
  release(): void {
    for (const release of this.#held.splice(0)) release();
  }
}
