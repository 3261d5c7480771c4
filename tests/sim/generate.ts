/** From a seed to a world and a history. Each seed likes other steps (swarm testing): what is rare together in one is common in another. */
import type { SharedStrategy } from "../../server/config/types.ts";
import type { Request, Version } from "./encode.ts";
import { Rng } from "./rng.ts";
import type { BadKind, ChaosPoint, Step, ZoneField } from "./steps.ts";

/** What holds for a whole history. */
export interface Setup {
  clients: number;
  versions: Version[];
  acl: boolean;
  strategy: SharedStrategy;
  maxInflight: number;
  maxMqueueLen: number;
  maxAwaitingRel: number;
  maxTopicAlias: number;
  retryIntervalMs: number;
  awaitRelTimeoutMs: number;
  sessionExpiryMs: number;
  idleTimeoutMs: number;
  upgradeQos: boolean;
  mqueueStoreQos0: boolean;
  delayed: boolean;
  retainer: boolean;
  random: number;
  /** `storage.sync = always`, and a kill is a loss of power. */
  always: boolean;
  /** `storage.on_error = accept`: a disk that fails changes nothing, until the process ends. */
  accept: boolean;
}

export interface History {
  setup: Setup;
  steps: Step[];
}

const TOPICS = ["a", "a/b", "a/b/c", "b", "b/c", "x/y", "a//b", "/a", "$dollar/a", "d/1", "w/1", "s/1", "no/1", "st/1"];
const FILTERS = [
  "#",
  "+",
  "a/#",
  "a/+",
  "+/b",
  "a/b",
  "+/+/#",
  "a/b/c",
  "/+",
  "b",
  "b/#",
  "x/y",
  "d/#",
  "w/#",
  "s/#",
  "s/1",
  "$dollar/#",
  "no/#",
  "a",
];
const SHARED = ["$share/g/a/#", "$share/g/b", "$share/h/#", "$queue/a/b", "$share/g/+/b", "$share/h/a", "$queue/#"];
const BAD: BadKind[] = [
  "filter",
  "unfilter",
  "share_pub",
  "wrong_ack",
  "reserved",
  "connect_twice",
  "flags",
  "topic",
  "no_topic",
  "alias_unknown",
  "nl_shared",
  "server_packet",
  "dup31",
];
const POINTS: ChaosPoint[] = [
  "message.delivered",
  "message.acked",
  "message.dropped",
  "client.connected",
  "client.disconnected",
  "session.created",
  "session.resumed",
  "session.subscribed",
  "session.unsubscribed",
  "session.terminated",
];

export function generate(seed: number, length: number): History {
  const r = new Rng(seed);
  const setup = makeSetup(r);
  const g = new Generator(r, setup);
  const steps: Step[] = [];
  while (steps.length < length) for (const s of g.next()) steps.push(s);
  return { setup, steps };
}

function makeSetup(r: Rng): Setup {
  const clients = r.weighted([
    [3, r.between(2, 4)],
    [4, r.between(4, 8)],
    [1, r.between(8, 24)],
  ]);
  const one = r.chance(0.3) ? r.pick([3, 4, 5] as const) : null;
  const setup = {
    clients,
    versions: Array.from(
      { length: clients },
      () =>
        one ??
        r.weighted([
          [1, 3],
          [2, 4],
          [4, 5],
        ] as const),
    ),
    acl: r.chance(0.4),
    strategy: r.pick(["random", "round_robin", "sticky", "hash"] as const),
    maxInflight: r.pick([0, 1, 2, 5, 32, 32]),
    maxMqueueLen: r.pick([0, 3, 10, 1000, 1000]),
    maxAwaitingRel: r.pick([0, 3, 100, 100]),
    maxTopicAlias: r.pick([0, 0, 5, 100]),
    retryIntervalMs: r.pick([0, 2000, 5000, 20_000]),
    awaitRelTimeoutMs: r.pick([0, 3000, 300_000]),
    sessionExpiryMs: r.pick([5000, 60_000, 7_200_000]),
    idleTimeoutMs: r.pick([3000, 15_000]),
    upgradeQos: r.chance(0.1),
    mqueueStoreQos0: r.chance(0.7),
    delayed: r.chance(0.3),
    retainer: r.chance(0.9),
    random: r.u32(),
    always: r.chance(0.2),
  };
  // From a row of numbers of its own: a seed stays the history that it was.
  return { ...setup, accept: new Rng(setup.random + 2).chance(0.25) };
}

type Maker = () => Step[];

class Generator {
  readonly #topics: string[];
  readonly #filters: string[];
  readonly #shared: string[];
  readonly #table: (readonly [number, Maker])[];
  readonly #more: number;
  readonly #hold: number;
  readonly #sizes: (readonly [number, number])[];
  readonly #qos: (readonly [number, number])[];
  readonly #retain: number;
  readonly #expiry: number;
  readonly #persistent: number;
  readonly #tight: number;
  readonly #lazy: number;
  #started = 0;

  constructor(
    readonly r: Rng,
    readonly setup: Setup,
  ) {
    const some = <T>(list: readonly T[], n: number): T[] => Array.from({ length: n }, () => r.pick(list));
    this.#topics = some(TOPICS, r.between(1, 5));
    this.#filters = [...some(FILTERS, r.between(1, 5)), ...(r.chance(0.6) ? this.#topics : [])];
    this.#shared = r.chance(0.5) ? some(SHARED, r.between(1, 3)) : [];
    this.#more = r.pick([0, 0.2, 0.5, 0.8]);
    this.#hold = r.pick([0, 0.1, 0.5]);
    this.#sizes = r.pick([
      [[1, 20]],
      [
        [8, 20],
        [2, 300],
        [1, 5000],
      ],
      [
        [2, 20],
        [2, 4000],
        [2, 40_000],
        [3, 62_000],
      ],
      [
        [1, 20],
        [2, 64_000],
        [1, 65_400],
        [1, 90_000],
      ],
    ]);
    this.#qos = r.pick([
      [[1, 0]],
      [
        [1, 0],
        [2, 1],
        [2, 2],
      ],
      [[1, 1]],
      [[1, 2]],
      [
        [3, 0],
        [1, 1],
        [1, 2],
      ],
    ]);
    this.#retain = r.pick([0, 0.1, 0.5]);
    this.#expiry = r.chance(0.2) ? 0.6 : 0.05;
    this.#persistent = r.pick([0, 0.5, 0.9, 1]);
    this.#tight = r.pick([0, 0.2, 0.8]);
    this.#lazy = r.pick([0, 0, 0.5, 0.9]);
    const on = (p: number, weight: number): number => (r.chance(p) ? weight * (0.3 + r.next() * 2) : 0);
    this.#table = [
      [4, () => [this.#connect(r.int(setup.clients))]],
      [6, () => this.#sub()],
      [on(0.7, 1), () => [{ k: "unsub", c: this.#c(), fs: some([...this.#filters, ...this.#shared], r.between(1, 2)) }]],
      [16, () => this.#pub()],
      [6, () => [{ k: "ack", c: this.#c(), i: r.int(4), n: r.pick([1, 2, 5, 100]), ...(r.chance(0.03) ? { code: 0x83 } : {}) }]],
      [on(0.8, 1), () => [{ k: "ping", c: this.#c() }]],
      [on(0.8, 1), () => [{ k: "disc", c: this.#c(), code: r.pick([0, 0, 4]), ...(r.chance(0.3) ? { exp: r.pick([0, 5, 100]) } : {}) }]],
      [on(0.8, 2), () => [{ k: "close", c: this.#c(), ...(r.chance(0.3) ? { old: true } : {}) }]],
      [2, () => [{ k: "send", c: this.#c(), piece: r.pick([0, 0, 1, 7, 100, 5000]), left: r.pick([0, 0, 1, 3, 50]) }]],
      [on(0.6, 3), () => [{ k: "net", c: this.#c(), mode: r.weighted([[3, "full"], [2, "gone"], [1, "throw"], [2, "open"]] as const), room: r.pick([0, 1, 10, 1000, 5000, 65_000]) }]],
      [on(0.7, 3), () => [{ k: "drain", c: this.#c(), room: r.pick([0, 1, 100, 70_000, 10_000_000]) }]],
      [on(0.3, 1), () => [{ k: "bad", c: this.#c(), what: r.pick(BAD) }]],
      [on(0.9, 3), () => [this.#pass()]],
      [on(0.2, 1), () => [{ k: "jump", ms: r.pick([-7_200_000, -3_600_000, -60_000, 60_000, 3_600_000, 86_400_000]) }]],
      [on(0.25, 1), () => [{ k: "store", fails: r.chance(0.6) }]],
      [on(0.2, 1), () => [{ k: "memory", level: r.pick(["normal", "high", "critical"] as const) }]],
      [on(0.35, 1), () => [{ k: "kill" }]],
      [on(0.6, 2), () => this.#api()],
      [on(0.3, 1), () => [this.#zone()]],
      [on(0.2, 1), () => [{ k: "plugin", name: r.pick(["emqx_retainer", "emqx_delayed_publish"] as const), op: r.pick(["load", "unload", "reload"] as const) }]],
      [on(0.35, 3), () => [{ k: "hook", point: r.chance(0.5) ? "message.delivered" : r.pick(POINTS), nth: r.between(1, 4), act: r.pick(["throw", "kick", "unsub", "drop", "pub", "sub"] as const), c: this.#c(), t: r.pick([...this.#filters, ...this.#topics]) }]],
      [setup.acl ? on(0.5, 2) : 0, () => [{ k: "acl", deny: r.chance(0.5) }]],
      [setup.acl ? 3 : 1, () => [{ k: "resolve", i: r.int(4) }]],
      [on(0.5, 1.5), () => this.#burst()],
      [on(0.01, 0.3), () => [{ k: "cancelled", n: 1500 }]],
      [on(0.1, 0.3), () => [{ k: "many", c: this.#c(), n: r.between(300, 800) }]],
      [on(0.3, 0.5), () => [{ k: "open", c: this.#c() }]],
    ]; // biome-ignore format: a table
  }

  next(): Step[] {
    // Everybody is there first, most with a subscription.
    if (this.#started < this.setup.clients) {
      const c = this.#started++;
      return this.r.chance(0.8) ? this.#mark([this.#connect(c), ...(this.r.chance(0.8) ? this.#sub(c) : [])]) : [];
    }
    return this.#mark(this.r.weighted(this.#table)());
  }

  #mark(steps: Step[]): Step[] {
    for (const s of steps) {
      if (this.r.chance(this.#more)) s.more = true;
      if ("c" in s && this.r.chance(this.#hold)) s.hold = true;
    }
    return steps;
  }

  #c(): number {
    return this.r.int(this.setup.clients);
  }

  #connect(c: number): Step {
    const { r } = this;
    const v = r.chance(0.03) ? r.pick([3, 4, 5] as const) : (this.setup.versions[c] as Version);
    const persistent = r.chance(this.#persistent);
    const tight = r.chance(this.#tight);
    return {
      k: "connect",
      c,
      v,
      clean: v === 5 ? r.chance(0.15) : !persistent,
      ka: r.weighted([[4, 0], [1, 2], [1, 10], [1, 60]]),
      ...(v === 5 && persistent ? { exp: r.pick([5, 60, 3600, 0xffffffff]) } : {}),
      ...(v === 5 && tight ? { rm: r.pick([1, 2, 3, 10]) } : {}),
      ...(v === 5 && tight && r.chance(0.4) ? { mps: r.pick([10, 40, 60, 100, 1000, 30_000]) } : {}),
      ...(v === 5 && r.chance(0.3) ? { tam: r.pick([1, 2, 10]) } : {}),
      ...(v === 5 && r.chance(0.2) ? { pi: 0 } : {}),
      ...(r.chance(0.15) ? { will: { t: r.pick(["w/1", "w/2"]), q: r.int(3), r: r.chance(0.2), delay: v === 5 ? r.pick([0, 0, 1, 5]) : 0, size: 20 } } : {}),
      ...(r.chance(0.05) ? { auth: r.pick(["slow", "bad"] as const) } : {}),
      how: r.chance(this.#lazy) ? r.pick(["lazy", "lazy", "never"] as const) : "auto",
      ...(r.chance(0.1) ? { holdsRel: true } : {}),
    }; // biome-ignore format: one thing
  }

  #sub(c = this.#c()): Step[] {
    const { r } = this;
    const subs: Request[] = [];
    for (
      let n = r.weighted([
        [5, 1],
        [2, 2],
        [1, 4],
      ]);
      n > 0;
      n--
    ) {
      const shared = this.#shared.length > 0 && r.chance(0.4);
      subs.push({
        filter: r.pick(shared ? this.#shared : this.#filters),
        qos: r.chance(0.2) ? 0 : r.int(3),
        nl: !shared && r.chance(0.15),
        rap: r.chance(0.3),
        rh: r.weighted([
          [4, 0],
          [1, 1],
          [1, 2],
        ]),
      });
    }
    return [{ k: "sub", c, subs, id: r.chance(0.4) ? r.between(1, 300) : 0 }];
  }

  #pub(): Step[] {
    const { r } = this;
    const n = r.weighted([
      [6, 1],
      [2, r.between(2, 5)],
      [1, r.between(5, 40)],
    ]);
    let size = r.weighted(this.#sizes);
    if (n > 8) size = Math.min(size, 5000);
    const retain = r.chance(this.#retain);
    const delay = this.setup.delayed && r.chance(0.25) ? r.pick([0, 1, 3]) : undefined;
    return [
      {
        k: "pub", c: this.#c(), t: delay !== undefined ? "d/1" : r.pick(this.#topics), q: r.weighted(this.#qos), r: retain, size: retain && r.chance(0.2) ? 0 : size, n,
        ...(this.setup.maxTopicAlias > 0 && r.chance(0.3) ? { alias: r.between(1, 3) } : {}),
        ...(r.chance(this.#expiry) ? { expiry: r.pick([0, 1, 3, 60]) } : {}),
        ...(r.chance(0.1) ? { user: true } : {}),
        ...(delay !== undefined ? { delay } : {}),
      },
    ]; // biome-ignore format: one thing
  }

  /** One chunk of messages small and large, of all QoS, while one of its receivers does not read or is gone. */
  #burst(): Step[] {
    const { r } = this;
    const c = this.#c();
    const to = this.#c();
    const t = r.pick(this.#topics);
    const out: Step[] = [];
    if (r.chance(0.5)) out.push({ k: "sub", c: to, subs: [{ filter: t, qos: r.int(3), nl: false, rap: false, rh: 2 }], id: 0 });
    if (r.chance(0.7)) out.push({ k: "net", c: to, mode: r.pick(["gone", "gone", "full"] as const), room: r.pick([0, 1, 3000, 65_000]) });
    const pub = (q: number, size: number, more: boolean): void => {
      out.push({ k: "pub", c, t, q, r: false, size, n: more ? r.between(1, 3) : 1, ...(more ? { hold: true as const, more: true as const } : {}) });
    };
    for (let n = r.between(1, 4); n > 0; n--) pub(r.int(3), r.weighted([[5, 20], [3, 1000], [1, 65_400], [1, 62_000], [1, 90_000]]), true);
    pub(r.chance(0.7) ? 0 : r.int(3), r.pick([20, 62_000, 65_400]), false);
    return out;
  } // biome-ignore format: a table

  #pass(): Step {
    return this.r.weighted<Step>([
      [4, { k: "pass", ms: 300, tick: 100 }],
      [3, { k: "pass", ms: 2000, tick: 100 }],
      [2, { k: "pass", ms: 6000, tick: 100 }],
      [1, { k: "pass", ms: 30_000, tick: 500 }],
      [0.3, { k: "pass", ms: 400_000, tick: 900 }],
    ]);
  }

  #api(): Step[] {
    const { r } = this;
    const op = r.weighted([
      [5, "pub"],
      [2, "sub"],
      [1, "unsub"],
      [2, "kick"],
      [1, "drop"],
      [0.5, "ban"],
      [1, "unban"],
      [0.5, "sendNow"],
      [0.5, "cancel"],
    ] as const);
    return [
      {
        k: "api",
        op,
        c: this.#c(),
        t: op === "sub" || op === "unsub" ? r.pick([...this.#filters, ...this.#shared]) : r.pick(this.#topics),
        q: r.int(3),
        r: r.chance(this.#retain),
      },
    ];
  }

  #zone(): Step {
    const { r } = this;
    const field = r.pick<ZoneField>([
      "maxInflight",
      "maxMqueueLen",
      "retryIntervalMs",
      "upgradeQos",
      "mqueueStoreQos0",
      "awaitRelTimeoutMs",
    ]);
    const value = {
      maxInflight: r.pick([0, 1, 3, 32]),
      maxMqueueLen: r.pick([0, 2, 20, 1000]),
      retryIntervalMs: r.pick([0, 2000, 20_000]),
      upgradeQos: r.int(2),
      mqueueStoreQos0: r.int(2),
      awaitRelTimeoutMs: r.pick([0, 3000]),
    }[field];
    return { k: "zone", field, value };
  }
}
