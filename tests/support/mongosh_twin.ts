/** `mongosh` as far as the README needs it: `db.<collection>.insertOne({…})` from standard input. Arguments: port, user, password. */
import { fill } from "./mongo_server.ts";

const [port, username = "", password = ""] = process.argv.slice(2);
const found: Record<string, Record<string, unknown>[]> = {};
const collection = (name: string) => ({
  insertOne(document: Record<string, unknown>): void {
    found[name] = [...(found[name] ?? []), document];
  },
  createIndex(): void {},
});
const db = new Proxy({}, { get: (_, name) => collection(String(name)) });
new Function("db", await Bun.stdin.text())(db);
await fill(`mongodb://127.0.0.1:${port}/`, found, { auth: { username, password }, authSource: "mqtt", directConnection: true });
