/** The list of all figures: what boards made for EMQ X ask for is in it, and each is what the broker counts. */
import { describe, expect, test } from "bun:test";
import { emqxAsText } from "../../../server/lib/exposition.ts";
import { createSystem } from "../../../server/machine/machine.ts";
import { PUSHED } from "../../../server/plugins/statsd/names.ts";
import { BOARDS, HOSTS_OF, namesIn } from "../../support/boards.ts";
import { administer } from "./harness.ts";

/** Names of what each board asks for. */
const WANTED = Object.entries(BOARDS).map(([board, queries]) => [board, namesIn([HOSTS_OF, ...queries])] as const);

/** `emqx_metrics()`, `emqx_stats()`, `emqx_vm()` and `emqx_messages()` of src/emqx_statsd.erl there. */
const SENT_BY_3_1 = [
  ..."emqx_packets_auth emqx_packets_received emqx_packets_connect emqx_packets_connack".split(" "),
  ..."emqx_packets_disconnect_received emqx_packets_disconnect_sent emqx_packets_subscribe emqx_packets_suback".split(" "),
  ..."emqx_packets_unsubscribe emqx_packets_unsuback emqx_packets_publish_received emqx_packets_publish_sent".split(" "),
  ..."emqx_packets_puback_received emqx_packets_puback_sent emqx_packets_puback_missed emqx_packets_pubrec_received".split(" "),
  ..."emqx_packets_pubrec_sent emqx_packets_pubrec_missed emqx_packets_pubrel_received emqx_packets_pubrel_sent".split(" "),
  ..."emqx_packets_pubrel_missed emqx_packets_pubcomp_received emqx_packets_pubcomp_sent emqx_packets_pubcomp_missed".split(" "),
  ..."emqx_packets_pingreq emqx_packets_pingresp emqx_bytes_received emqx_bytes_sent".split(" "),
  ..."emqx_connections_count emqx_connections_max emqx_retained_count emqx_retained_max emqx_routes_count emqx_routes_max".split(" "),
  ..."emqx_sessions_count emqx_sessions_max emqx_subscriptions_count emqx_subscriptions_max emqx_topics_count emqx_topics_max".split(" "),
  ..."emqx_messages_received emqx_messages_sent emqx_messages_dropped emqx_messages_retained emqx_messages_qos0_received".split(" "),
  ..."emqx_messages_qos0_sent emqx_messages_qos1_received emqx_messages_qos1_sent emqx_messages_qos2_received".split(" "),
  ..."emqx_messages_qos2_expired emqx_messages_qos2_sent emqx_messages_qos2_dropped emqx_messages_qos2_forward".split(" "),
  ..."emqx_vm_cpu_use emqx_vm_cpu_idle emqx_vm_run_queue emqx_vm_process_messages_in_queues".split(" "),
];
/** Erlang's, and nothing here. */
const ABSENT = ["emqx_vm_run_queue", "emqx_vm_process_messages_in_queues"];

const measured = { system: { ...createSystem(), machineCpu: () => 30 } };

const typedIn = (text: string): string[] =>
  text
    .split("\n")
    .filter((line) => line.startsWith("# TYPE"))
    .map((line) => line.split(" ")[2] as string);

describe("what is pushed", () => {
  test("is what emqx_statsd 3.1 sent, and what its boards ask for", async () => {
    const { admin } = await administer(measured);
    admin.start();
    const pushed = typedIn(emqxAsText(admin.figures(), PUSHED));
    admin.stop();
    const wanted = new Set([...SENT_BY_3_1, ...WANTED.flatMap(([, names]) => names)].filter((name) => !ABSENT.includes(name)));
    // It had no counter of all packets that were sent, in its list, though in its code.
    expect(new Set(pushed)).toEqual(new Set([...wanted, "emqx_packets_sent"]));
    expect(new Set(pushed)).toEqual(new Set(PUSHED));
  });

  for (const [board, names] of WANTED)
    test(`${board} finds all it asks for`, async () => {
      const { admin } = await administer();
      const there = new Set(admin.figures().flatMap((f) => f.emqx));
      expect(names.filter((name) => !there.has(name))).toEqual([]);
    });
});

describe("each is what the broker counts", () => {
  test("the names that are others than EMQ X's own metric: clients, disconnects, forwarded", async () => {
    const { admin, kit } = await administer();
    kit.connected("a");
    kit.connected("b").send({ cmd: "disconnect" });
    kit.metrics.messagesForward += 3;
    const value = (name: string): number | undefined => admin.figures().find((f) => f.emqx.includes(name))?.rows[0]?.[1];
    expect([value("emqx_clients_count"), value("emqx_connections_count")]).toEqual([1, 1]);
    expect([value("emqx_packets_disconnect"), value("emqx_packets_disconnect_received")]).toEqual([1, 1]);
    expect(value("emqx_messages_qos2_forward")).toBe(3);
  });

  test("every metric, stat and counter of a plugin, no name twice", async () => {
    const { admin, kit } = await administer();
    kit.metrics.count("mine/things", 4);
    const families = admin.figures();
    const names = families.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const [name, value] of Object.entries({ ...kit.metrics.all(), ...kit.metrics.extra(), ...kit.core.stats.all() }))
      expect([name, families.find((f) => f.name === name)?.rows]).toEqual([name, [[{}, value]]]);
    // What may fall is no counter.
    expect(families.find((f) => f.name === "messages/retained")?.type).toBe("gauge");
  });

  test("the machine's processors, once they are measured", async () => {
    let share: number | null = null;
    const { admin } = await administer({ system: { ...createSystem(), machineCpu: () => share } });
    const cpu = (): (number | undefined)[] =>
      ["emqx_vm_cpu_use", "emqx_vm_cpu_idle"].map((name) => admin.figures().find((f) => f.emqx.includes(name))?.rows[0]?.[1]);
    expect(cpu()).toEqual([undefined, undefined]);
    share = 30;
    admin.start();
    admin.stop();
    expect(cpu()).toEqual([30, 70]);
  });
});
