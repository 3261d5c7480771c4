/** Alarms: what is wrong now, and what was. Raising and clearing is told under `$SYS/brokers/<node>/alarms/<id>/`. */
import type { NodeConfig } from "../../config/types.ts";
import { wordsOf } from "../../lib/errors.ts";
import { formatLocalTime } from "../../lib/time_format.ts";
import type { Hooks } from "../hooks.ts";
import type { Message } from "../message.ts";
import type { AlarmStore, Clock, Log } from "../ports.ts";
import { sysMessage, sysTopic } from "./sys_message.ts";

export type Severity = "notice" | "warning" | "error" | "critical";

/** A description with more than one text, as plugins give it. `summary` is read whenever somebody looks: it may change while the alarm stands. */
export interface AlarmDetails {
  severity: Severity;
  title: string;
  summary: string;
}
/** As the API shows it; `timestamp` is local time, "YYYY-MM-DD HH:MM:SS". */
export type AlarmDesc = string | (AlarmDetails & { timestamp: string });

export interface PresentAlarm {
  id: string;
  desc: AlarmDesc;
  /** Unix ms of the first time, however often it was set since. */
  raisedAt: number;
}
export interface PastAlarm extends PresentAlarm {
  /** Unix ms. */
  clearedAt: number;
}

export class Alarms {
  private readonly raised = new Map<string, PresentAlarm>();
  private publish: (m: Message) => void = () => {};

  constructor(
    private readonly node: Pick<NodeConfig, "nodeName">,
    private readonly store: AlarmStore,
    private readonly clock: Clock,
    private readonly log: Log,
    private readonly hooks: Hooks,
  ) {}

  /** Where alarms are told; the broker does not exist yet when the alarms are made. */
  publishTo(publish: (m: Message) => void): void {
    this.publish = publish;
  }

  /** Raise an alarm, or replace the description of one that is raised. */
  set(id: string, desc: string | AlarmDetails): void {
    const now = this.clock.now();
    const before = this.raised.get(id);
    if (!before) this.log.warn("alarm", { id, desc });
    const alarm = { id, desc: dated(desc, now), raisedAt: before?.raisedAt ?? now };
    this.raised.set(id, alarm);
    const told =
      typeof desc === "string" ? desc : { severity: desc.severity, title: desc.title, summary: desc.summary, ts: Math.floor(now / 1000) };
    this.tell(id, "alert", JSON.stringify({ id, desc: told }), now);
    if (!before) this.hooks.run("alarm.activated", alarm);
  }

  /** False = it was not raised; then nothing happens. */
  clear(id: string): boolean {
    const alarm = this.raised.get(id);
    if (!alarm) return false;
    const now = this.clock.now();
    this.raised.delete(id);
    this.log.notice("alarm cleared", { id });
    const desc = typeof alarm.desc === "string" ? alarm.desc : JSON.stringify(alarm.desc);
    this.store.add({ id, desc, raisedAt: alarm.raisedAt, clearedAt: now });
    this.tell(id, "clear", "", now);
    this.hooks.run("alarm.deactivated", { ...alarm, clearedAt: now });
    return true;
  }

  has(id: string): boolean {
    return this.raised.has(id);
  }

  get(id: string): PresentAlarm | undefined {
    return this.raised.get(id);
  }

  /** Raised now, in order of raising. */
  present(): PresentAlarm[] {
    return [...this.raised.values()];
  }

  /** Cleared ones, the last first. */
  history(limit = 1000): PastAlarm[] {
    return this.store.history(limit).map((row) => ({ ...row, desc: readDesc(row.desc) }));
  }

  private tell(id: string, what: "alert" | "clear", payload: string, now: number): void {
    try {
      this.publish(sysMessage(sysTopic(this.node.nodeName, `alarms/${id}/${what}`), payload, now));
    } catch (err) {
      // An alarm is often raised because something fails already.
      this.log.error("alarm could not be published", { id, error: wordsOf(err) });
    }
  }
}

function dated(desc: string | AlarmDetails, now: number): AlarmDesc {
  if (typeof desc === "string") return desc;
  return {
    severity: desc.severity,
    title: desc.title,
    get summary() {
      return desc.summary;
    },
    timestamp: formatLocalTime(now),
  };
}

/** The store keeps texts; a structured description is JSON there. */
function readDesc(text: string): AlarmDesc {
  if (!text.startsWith('{"severity":')) return text;
  try {
    return JSON.parse(text) as AlarmDesc;
  } catch {
    return text;
  }
}
