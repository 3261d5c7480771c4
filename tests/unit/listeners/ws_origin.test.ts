/** Which web pages may open a WebSocket: the same answer from both of our servers. */
import { afterEach, describe, expect, test } from "bun:test";
import { config, connect, serve, stopAll, until } from "./harness.ts";

afterEach(stopAll);

interface Asks {
  origin?: string;
  host?: string;
  more?: string[];
}

for (const [name, ownWebSocket] of [
  ["Bun.serve", false],
  ["our own", true],
] as const) {
  describe(name, () => {
    async function listener(allowOrigins: string[] = []) {
      const f = await serve([config({ kind: "ws", allowOrigins })], { ownWebSocket });
      const ask = async ({ origin, host = `127.0.0.1:${f.port}`, more = [] }: Asks) => {
        const c = await connect(f.port);
        const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
        const version = "Sec-WebSocket-Version: 13";
        const lines = ["GET /mqtt HTTP/1.1", `Host: ${host}`, "Upgrade: websocket", "Connection: Upgrade", key, version];
        if (origin !== undefined) lines.push(`Origin: ${origin}`);
        c.socket.write([...lines, "Sec-WebSocket-Protocol: mqtt", ...more, "", ""].join("\r\n"));
        await until(() => c.received().includes("\r\n\r\n"));
        return { status: Number(c.received().toString("latin1").split(" ")[1]), text: c.received().toString("latin1") };
      };
      return { f, ask, status: async (asks: Asks) => (await ask(asks)).status };
    }

    test("by itself: programs, and pages of the same host on any port", async () => {
      const { status } = await listener();
      expect(await status({})).toBe(101);
      expect(await status({ origin: "http://127.0.0.1:18083" })).toBe(101);
      expect(await status({ origin: "https://broker.example", host: "broker.example:8083" })).toBe(101);
      // This machine by its other name: the dashboard asks for what the address bar says.
      expect(await status({ origin: "http://localhost:18083" })).toBe(101);
    });

    test("pages of others are refused in words that name the setting; counted, and told once", async () => {
      const { f, ask } = await listener();
      for (const origin of ["http://evil.example", "https://127.0.0.1.evil.example", "null", "file://", "nonsense"]) {
        const answer = await ask({ origin });
        expect([origin, answer.status]).toEqual([origin, 403]);
        expect(answer.text).toContain("allow_origins");
      }
      expect(f.channels).toHaveLength(0);
      expect([...(f.listeners.list()[0]?.rejected ?? [])]).toEqual([["ws_origin", 5]]);
      expect(f.logs.filter((l) => l.startsWith("warn"))).toHaveLength(1);
      expect(f.logs.some((l) => l.startsWith("error"))).toBe(false);
    });

    test("a page of the same site behind a proxy that changes Host", async () => {
      const { status } = await listener();
      expect(await status({ origin: "https://outside.example", more: ["Sec-Fetch-Site: same-origin"] })).toBe(101);
      expect(await status({ origin: "https://outside.example", more: ["Sec-Fetch-Site: cross-site"] })).toBe(403);
    });

    test("listed ones, besides", async () => {
      const { status } = await listener(["https://app.example.com", "other.example", "capacitor://localhost", "http://dev.example:5173"]);
      const yes = ["https://APP.example.com", "http://other.example:3000", "capacitor://localhost", "http://dev.example:5173"];
      for (const origin of [...yes, "http://127.0.0.1:18083", "https://app.example.com:443"])
        expect([origin, await status({ origin })]).toEqual([origin, 101]);
      const no = ["http://app.example.com", "https://app.example.com:8443", "http://dev.example", "https://sub.other.example", "null"];
      for (const origin of no) expect([origin, await status({ origin })]).toEqual([origin, 403]);
    });

    test("pages without an origin when that is listed; all", async () => {
      const none = await listener(["null"]);
      expect(await none.status({ origin: "null" })).toBe(101);
      expect(await none.status({ origin: "http://evil.example" })).toBe(403);
      const all = await listener(["all"]);
      expect(await all.status({ origin: "http://evil.example" })).toBe(101);
      expect(await all.status({ origin: "null" })).toBe(101);
    });
  });
}
