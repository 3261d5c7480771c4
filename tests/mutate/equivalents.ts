/** Mutants that change nothing anybody could see, each with the reason. They are neither tried nor counted. */
export interface Equivalent {
  readonly file: string;
  /** The line as it stands, without the space around it. */
  readonly line: string;
  /** What the run prints as the change. */
  readonly change: string;
  readonly reason: string;
}

export const EQUIVALENTS: readonly Equivalent[] = [
  {
    file: "server/mqtt/utf8.ts",
    line: "return kind;",
    change: "kind -> null",
    reason: "anything but INVALID and ASCII takes the general decoder, which gives the same text",
  },
  {
    file: "server/mqtt/packets/connect.ts",
    line: "return 0;",
    change: "0 -> (0 + 1)",
    reason: "the reader has refused the packet, the version is not looked at any more",
  },
  {
    file: "server/mqtt/reader.ts",
    line: "return at < 0 ? 0 : ((this.buf[at] as number) << 8) | (this.buf[at + 1] as number);",
    change: "0 -> (0 + 1)",
    reason: "the reader has refused the packet, what it returns is not looked at any more",
  },
  {
    file: "server/mqtt/packets/publish.ts",
    line: "if (bodyStart + 2 > end) return RC.MALFORMED_PACKET;",
    change: "2 -> (2 - 1)",
    reason: "the topic would end behind the packet, which is the same error two lines below",
  },
  {
    file: "server/mqtt/packets/publish.ts",
    line: "end = 0;",
    change: "0 -> (0 + 1)",
    reason: "written by readPublish before anybody reads it",
  },
  {
    file: "server/mqtt/generate.ts",
    line: "if (writeToStream.cacheNumbers) writeToStream.cacheNumbers = false;",
    change: "writeToStream.cacheNumbers -> !(writeToStream.cacheNumbers)",
    reason: "spares memory that a library would take, nothing else",
  },
  {
    file: "server/mqtt/reader.ts",
    line: "for (let shift = 0; shift <= 21; shift += 7) {",
    change: "21 -> (21 + 1)",
    reason: "shift is a multiple of 7",
  },
  {
    file: "server/mqtt/packets/publish.ts",
    line: "for (let shift = 0; shift <= 21; shift += 7) {",
    change: "21 -> (21 + 1)",
    reason: "shift is a multiple of 7",
  },
  {
    file: "server/core/writer.ts",
    line: "e = this.#encode(v5 ? 5 : 4, m, plainTerms(qos, retain), false, 0, -1);",
    change: "1 -> (1 + 1)",
    reason: "any number below 0 means that it does not expire",
  },
  {
    file: "server/core/timers.ts",
    line: "#order = 0;",
    change: "0 -> (0 + 1)",
    reason: "only what is larger than what counts",
  },
  {
    file: "server/core/out.ts",
    line: "if (n < 24) {",
    change: "n < 24 -> !(n < 24)",
    reason: "two ways to copy the same bytes, which one is quicker depends on how many they are",
  },
  {
    file: "server/core/channel.ts",
    line: "if (look < 0 && !this.#waiting) this.#wait(turn.next(), 0);",
    change: "0 -> (0 + 1)",
    reason: "a place to look at is -1 or behind the first packet, never 0",
  },
  {
    file: "server/core/durability.ts",
    line: "this.#unanswered.clear();",
    change: "this.#unanswered.clear(); removed",
    reason: "they are closed by then: what is kept of them is memory, until the next failure",
  },
  {
    file: "server/core/durability.ts",
    line: "this.#retryAt = NO_MONO;",
    change: "this.#retryAt = NO_MONO; removed",
    reason: "what it was has been reached when the disk worked again",
  },
  {
    file: "server/core/keepalive.ts",
    line: "if (ch.keepaliveMs > 0) {",
    change: "0 -> (0 + 1)",
    reason: "it is 0 or at least 1000: whole seconds, and zone.*.keepalive_backoff is at least 0.5",
  },
  {
    file: "server/storage/sessions.ts",
    line: "const UNSUBSCRIBE = -1;",
    change: "1 -> (1 + 1)",
    reason: "any number that is no option byte",
  },
  ...["256 -> (256 + 1)", "256 -> (256 - 1)"].map((change) => ({
    file: "server/storage/wal_check.ts",
    line: "const BATCH = 256;",
    change,
    reason: "how many frames are read at a time changes nothing about them",
  })),
  ...["512 -> (512 - 1)", "65536 -> (65536 + 1)"].map((change) => ({
    file: "server/storage/wal_check.ts",
    line: "return n >= 512 && n <= 65536 && (n & (n - 1)) === 0 ? n : 4096;",
    change,
    reason: "no power of two lies between",
  })),
  {
    file: "server/storage/wal_check.ts",
    line: "return n >= 512 && n <= 65536 && (n & (n - 1)) === 0 ? n : 4096;",
    change: "1 -> (1 + 1)",
    reason: "of numbers from 512 on, the powers of two alone have no bit in common with n - 2, as with n - 1",
  },
  {
    file: "server/storage/changes.ts",
    line: "return this.#cleared || this.changes.size > 0;",
    change: "this.changes.size > 0: > -> >=",
    reason: "to write no changes is to do nothing",
  },
  {
    file: "server/storage/delivery_rows.ts",
    line: "const some = removed.size > 0;",
    change: "removed.size > 0: > -> >=",
    reason: "spares the look into a set that is empty",
  },
  ...["16 -> (16 + 1)", "16 -> (16 - 1)"].map((change) => ({
    file: "server/core/output.ts",
    line: "const BUSY_PROBE = 16;",
    change,
    reason: "how often it is looked whether a turn is busy: the order of what is written is the same",
  })),
  {
    file: "server/core/handle/publish.ts",
    line: "if (zone.maxTopicLevels > 0 && levelsOf(f.buf, f.topicStart, f.topicEnd) > zone.maxTopicLevels) return null;",
    change: "buf, f.topicStart, f.topicEnd) > zone.maxTopicLevels: > -> >=",
    reason: "a topic with as many levels as may be takes the way of those that are read, to the same route",
  },
  ...["unsent >= 0: >= -> >", "0 -> (0 + 1)"].map((change) => ({
    file: "server/core/resend.ts",
    line: "if (!ch.ready || ch.out.blocked || (unsent >= 0 && n >= unsent)) return;",
    change,
    reason: "whoever is owed the first message of all does not read, which is asked before: of those who do, at least one is in flight",
  })),
  {
    file: "server/core/writer.ts",
    line: "alone = false;",
    change: "false -> true",
    reason: "written with the message that it is about, before anybody reads it",
  },
  ...[
    "6 -> (6 + 1)",
    "v5 -> !(v5)",
    "retain -> !(retain)",
    "(v5 ? 6 : 0) + qos * 2: + -> -",
    "(v5 ? 6 : 0) + qos * 2 + (retain ? 1 : 0): + -> -",
  ].map((change) => ({
    file: "server/core/writer.ts",
    line: "const i = (v5 ? 6 : 0) + qos * 2 + (retain ? 1 : 0);",
    change,
    reason: "any twelve places, as long as none has two owners",
  })),
  {
    file: "server/core/merged.ts",
    line: "if (p.qos > qos) qos = p.qos;",
    change: "p.qos > qos: > -> >=",
    reason: "what is as large already stays as large",
  },
  {
    file: "server/core/trie.ts",
    line: "return NO;",
    change: "NO -> null",
    reason: "behind a multi-level wildcard lies nothing, wherever one looks for it",
  },
  {
    file: "server/core/incoming.ts",
    line: "start = 0;",
    change: "0 -> (0 + 1)",
    reason: "filled with each packet, before anybody reads it",
  },
  {
    file: "server/core/channel.ts",
    line: "if (pos >= look && pos < end) {",
    change: "pos >= look: >= -> >",
    reason: "at which of two packets behind each other the clock is asked",
  },
  {
    file: "server/core/merged.ts",
    line: "#version = -1;",
    change: "1 -> (1 + 1)",
    reason: "any number below 0: a sum of versions is none",
  },
  {
    file: "server/core/channel.ts",
    line: "rawForm = 0;",
    change: "0 -> (0 + 1)",
    reason: "written when CONNECT is accepted: nobody is sent a message before",
  },
  {
    file: "server/core/access/acl_file.ts",
    line: "const PRIORITY = -1000;",
    change: "1000 -> (1000 - 1)",
    reason: "behind every plugin all the same",
  },
  {
    file: "server/core/cut_packet.ts",
    line: "if (have + n > this.#buf.length) {",
    change: "have + n > this.#buf.length: > -> >=",
    reason: "a buffer that is just full is made anew with the same bytes",
  },
  ...["64 -> (64 + 1)", "64 -> (64 - 1)"].map((change) => ({
    file: "server/core/message.ts",
    line: "const SLAB = 64 * 1024;",
    change,
    reason: "how many bytes are asked for at a time",
  })),
  {
    file: "server/core/merged.ts",
    line: "let version = 0;",
    change: "0 -> (0 + 1)",
    reason: "sums are compared with each other, all of them one more",
  },
  ...["2 -> (2 + 1)", "2 -> (2 - 1)"].map((change) => ({
    file: "server/core/turn.ts",
    line: "export const SMALL_WORK = 2;",
    change,
    reason: "a weight in the sum that says when the clock is asked",
  })),
  ...["this.o.input.bytesReceived >= this.#inputAt: >= -> >", "this.o.held.bytes >= this.#heldAt: >= -> >"].map((change) => ({
    file: "server/core/watch/memory.ts",
    line: "return this.o.input.bytesReceived >= this.#inputAt || this.o.held.bytes >= this.#heldAt;",
    change,
    reason: "memory is read after so many bytes, or after one more",
  })),
  {
    file: "server/core/writer.ts",
    line: "dup: false,",
    change: "false -> true",
    reason: "written before each packet",
  },
  {
    file: "server/core/channel.ts",
    line: "version: ProtocolVersion = 4;",
    change: "4 -> (4 - 1)",
    reason: "until the CONNECT has said which only 5 is told from the others",
  },
  {
    file: "server/core/watch/memory.ts",
    line: "#paidTo = 0;",
    change: "0 -> (0 + 1)",
    reason: "written when the level becomes another, and read above normal alone",
  },
  {
    file: "server/core/deliver.ts",
    line: 'if (hooks.at["message.delivered"].length > 0) hooks.run("message.delivered", session.clientId, m);',
    change: 'at["message.delivered"].length > 0: > -> >=',
    reason: "to run no handlers does nothing, and takes its time",
  },
  {
    file: "server/core/handle/publish.ts",
    line: "return valid(ch, topic) ? named(ch, topic, f, true) : null;",
    change: "true -> false",
    reason: "the same bytes, as a copy of their own",
  },
  {
    file: "server/core/output.ts",
    line: "if (this.deferred || this.#work < BUSY_PROBE) return;",
    change: "this.#work < BUSY_PROBE: < -> <=",
    reason: "a turn is watched every so many pieces of work, or one more",
  },
  {
    file: "server/core/keepalive.ts",
    line: "return max > 0 && (p.keepalive === 0 || p.keepalive > max) ? max : p.keepalive;",
    change: "p.keepalive > max: > -> >=",
    reason: "both are the same number",
  },
  {
    file: "server/core/out.ts",
    line: "if (taken < 0) return;",
    change: "taken < 0: < -> <=",
    reason: "nothing was taken: nothing is dropped, and it returns two lines below",
  },
  {
    file: "server/core/out.ts",
    line: "if (n < 24) {",
    change: "n < 24: < -> <=",
    reason: "where one way of copying becomes slower than the other",
  },
  {
    file: "server/core/out.ts",
    line: "if (this.#seg !== null && !this.#stageRun()) return 0;",
    change: "0 -> (0 + 1)",
    reason: "closed: a place in the sink, which nobody reads",
  },
  ...["1024 -> (1024 - 1)", "1024 -> (1024 + 1)"].map((change) => ({
    file: "server/core/inflight.ts",
    line: "export const MUCH = 16 * 1024;",
    change,
    reason: "from when a window's bytes are looked at against the bounds that matter",
  })),
];
