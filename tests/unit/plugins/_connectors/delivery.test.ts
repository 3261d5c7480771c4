// biome-ignore-all lint/suspicious/noTemplateCurlyInString: templates of rules
/** The queue of an action before a server that a test plays: what is left on the disk, what waits in memory. */
import { afterEach, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { actionKind, resourceKind } from "../../../../server/plugins/_connectors/connector.ts";
import { FILE_ACTION } from "../../../../server/plugins/_connectors/file.ts";
import { KAFKA } from "../../../../server/plugins/_connectors/kafka.ts";
import { KafkaBatch, type KafkaMessage, RequestLimit } from "../../../../server/plugins/_connectors/kafka_batch.ts";
import { judgeKafka } from "../../../../server/plugins/_connectors/kafka_errors.ts";
import { needed } from "../../../../server/plugins/_connectors/params.ts";
import { Wired } from "../../../support/connector_host.ts";
import { until } from "../../../support/until.ts";

let isAway = false;
let got: string[] = [];
const dirs: string[] = [];
const open = new Set<Wired>();
afterEach(async () => {
  for (const w of open) await w.close();
  open.clear();
  for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true, force: true });
  isAway = false;
  got = [];
});

const SERVER = resourceKind({
  name: "file",
  title: "",
  description: "",
  params: {},
  keys: { server: "server", timeout: "timeout" },
  advice: [],
  judge: () => "down",
  open: () => ({
    what: "played",
    open: () => ({
      async append(lines: readonly string[]) {
        if (isAway) throw new Error("nobody is there");
        got.push(...lines);
      },
    }),
    close() {},
    lost: () => false,
    probe: async () => {
      if (isAway) throw new Error("nobody is there");
    },
    pool: 1,
    timeoutMs: 1000,
    retries: 0,
  }),
});

function wired(params: Record<string, unknown>, keptIn: string | null = null): Wired {
  const w = new Wired({ action: FILE_ACTION, resource: SERVER }, {}, { payload_tmpl: "${n}", ...params }, keptIn);
  open.add(w);
  return w;
}
async function close(w: Wired): Promise<void> {
  open.delete(w);
  await w.close();
}

describe("the disk", () => {
  test("not used any more: what an action has left there is sent all the same, before what comes, and its files go", async () => {
    const dir = mkdtempSync(join(tmpdir(), "baomq-delivery-"));
    dirs.push(dir);
    isAway = true;
    const first = wired({ disk_size: 10 }, dir);
    for (let n = 1; n <= 50; n++) first.run({ n });
    await until(() => readdirSync(dir).length > 0, "it is on the disk");
    await close(first);
    expect(first.host.counts).toEqual({ done: 0, failed: 0, dropped: 0 });
    isAway = false;
    const second = wired({ disk_size: 0 }, dir);
    second.run({ n: 51 });
    await until(() => second.host.counts.done === 51, "all are sent");
    expect(got.map(Number)).toEqual(Array.from({ length: 51 }, (_, i) => i + 1));
    await until(() => readdirSync(dir).length === 0, "its files are gone");
  });
});

describe("memory", () => {
  test("what waits is counted with the node's, and no more than there is while the node is short of it", async () => {
    isAway = true;
    const w = wired({ queue_size: 1 });
    expect(w.host.counted).toBe(0);
    const n = "x".repeat(50_000);
    for (let i = 1; i <= 10; i++) w.run({ n });
    expect(w.host.counted).toBeGreaterThan(500_000);
    w.host.memoryShort = true;
    const before = w.action.waiting?.().rows;
    for (let i = 1; i <= 10; i++) w.run({ n });
    expect(w.action.waiting?.().rows).toBe(before as number);
    expect(w.host.counts.dropped).toBe(10);
    await close(w);
    expect(w.host.counted).toBeNull();
  });
});

describe("of an action that was changed", () => {
  /** `means`: what the values of a row are for, as a statement says it. */
  const ACTION = actionKind(["file"], {
    name: "data_to_file",
    title: "",
    description: "",
    params: { means: needed("", "") },
    open: ({ means }) => ({
      meaning: means,
      make: (row: Readonly<Record<string, unknown>>) => [row.a, row.b],
      shown: (values) => JSON.stringify(values),
      async write(driver: { append(lines: readonly string[]): Promise<void> }, items) {
        await driver.append(items.map((values) => `${means} ${JSON.stringify(values)}`));
        return new Map();
      },
    }),
  });
  const opened = (means: string): Wired => {
    const w = new Wired({ action: ACTION, resource: SERVER }, {}, { means, batch_wait: 0, retries: 0, max_age: 1 });
    open.add(w);
    return w;
  };

  test("rows and dead letters that wait in memory are not written as something else", async () => {
    isAway = true;
    const first = opened("insert (a, b)");
    first.run({ a: 21, b: 60 });
    await until(() => first.action.waiting?.().behind != null, "nobody is there");
    const left = await first.action.handOver?.();
    isAway = false;
    const second = opened("insert (b, a)");
    if (left === undefined) throw new Error("nothing is handed over");
    expect(second.action.inherit?.(left)).toBe(true);
    await until(() => second.letters.length === 1, "it is given up");
    expect(second.letters[0]).toMatchObject({ why: expect.stringContaining("other parameters"), body: expect.stringContaining("[21,60]") });
    second.action.deadLetters?.resend();
    await until(() => second.settled && second.letters.length === 1, "it is given up again");
    const again = await second.action.handOver?.();
    const third = opened("insert (a, b)");
    if (again === undefined) throw new Error("nothing is handed over");
    third.action.inherit?.(again);
    third.action.deadLetters?.resend();
    await until(() => got.length > 0, "it is written");
    expect(got).toEqual(["insert (a, b) [21,60]"]);
  });
});

describe("Kafka, whose first request fails for something that passes", () => {
  let requests = 0;
  const kafka = resourceKind({
    name: "kafka",
    title: "",
    description: "",
    params: {},
    keys: { server: "server", timeout: "timeout" },
    advice: [],
    judge: judgeKafka,
    open: () => ({
      what: "played",
      open: () => ({
        send: (items: readonly KafkaMessage[]) =>
          new KafkaBatch(
            items,
            async (some) => {
              if (++requests === 1) throw Object.assign(new Error("no"), { type: "UNKNOWN_TOPIC_OR_PARTITION" });
              got.push(...some.map(({ message }) => String(message.headers.n)));
            },
            new RequestLimit(),
          ).send(),
      }),
      close() {},
      lost: () => false,
      probe: async () => {},
      pool: 1,
      timeoutMs: 1000,
      retries: 0,
    }),
  });
  const [action] = KAFKA.actions;

  test.each([
    ["its topic is the same for all, and they wait for it", "t"],
    ["its topic is named by the row, which is tried again", "${t}"],
  ])("rows of one key arrive in order: %s", async (_, topic) => {
    requests = 0;
    const params = { topic, key: "k", payload_tmpl: "${p}", headers: { n: "${n}" } };
    const w = new Wired({ action: action as NonNullable<typeof action>, resource: kafka }, {}, params);
    open.add(w);
    const p = "x".repeat(400_000);
    for (let n = 1; n <= 6; n++) w.run({ n, p, t: "t" });
    await until(() => w.host.counts.done === 6, "all have arrived");
    expect(got.map(Number)).toEqual([1, 2, 3, 4, 5, 6]);
  });
});
