/** Connections that a Redis takes, and then says nothing, or not enough: they end with the time limit, and with the driver. */
import { afterEach, expect, test } from "bun:test";
import type { Socket, TCPSocketListener } from "bun";
import { type RedisDriver, type RedisServers, redisDrivers } from "../../../../server/plugins/_redis/driver.ts";
import { FakeClock } from "../../../support/access.ts";
import { until } from "../../../support/until.ts";

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

/** `answer`: to a command, by its name; null = none. */
function server(answer: (command: string) => string | null) {
  const open = new Set<Socket<undefined>>();
  const listener: TCPSocketListener<undefined> = Bun.listen<undefined>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open: (socket) => void open.add(socket),
      close: (socket) => void open.delete(socket),
      data(socket, data) {
        for (const [, name = ""] of data.toString("latin1").matchAll(/\*\d+\r\n\$\d+\r\n(\w+)/g)) say(socket, answer(name.toLowerCase()));
      },
    },
  });
  stops.push(() => listener.stop(true));
  return { open, address: { host: "127.0.0.1", port: listener.port } };
}

function say(socket: Socket<undefined>, text: string | null): void {
  if (text !== null) socket.write(text);
}

async function driverOf(own: Pick<RedisServers, "addresses" | "timeoutMs"> & Partial<RedisServers>): Promise<RedisDriver> {
  const o: RedisServers = {
    type: "single",
    master: "the-master",
    username: "",
    password: "",
    sentinelPassword: "",
    database: 0,
    pool: 1,
    tls: null,
    ...own,
  };
  const driver = await redisDrivers(o, new FakeClock())();
  stops.push(() => driver.close());
  return driver;
}

const OK = "+OK\r\n";

test.each<[what: string, own: Partial<RedisServers>, answered: string[]]>([
  ["nothing at all", {}, []],
  ["nothing to a password", { password: "secret" }, ["client"]],
  ["nothing to the number of a database", { database: 3 }, ["client"]],
])("%s is answered: the connection ends with the time limit", async (_, own, answered) => {
  const { open, address } = server((command) => (answered.includes(command) ? OK : null));
  const driver = await driverOf({ ...own, addresses: [address], timeoutMs: 100 });
  await expect(driver.probe()).rejects.toThrow("no connection within 100 ms");
  await until(() => open.size === 0, "the connection is closed");
});

test("the master that sentinels name does not say what it is: the time limit is for all of it", async () => {
  const master = server((command) => (command === "client" ? OK : null));
  const { port } = master.address;
  const named = `*2\r\n$9\r\n127.0.0.1\r\n$${String(port).length}\r\n${port}\r\n`;
  const sentinel = server((command) => (command === "sentinel" ? named : OK));
  const driver = await driverOf({ type: "sentinel", addresses: [sentinel.address], timeoutMs: 200 });
  await expect(driver.probe()).rejects.toThrow("no connection within 200 ms");
  await until(() => master.open.size + sentinel.open.size === 0, "all connections are closed");
});

test("a cluster that is silent has no connection left behind the time limit", async () => {
  const { open, address } = server(() => null);
  const driver = await driverOf({ type: "cluster", addresses: [address], timeoutMs: 200 });
  await expect(driver.probe()).rejects.toThrow();
  driver.close();
  await until(() => open.size === 0, "the connection is closed");
});

test("a connection that is being made ends with its driver", async () => {
  const { open, address } = server(() => null);
  const driver = await driverOf({ addresses: [address], timeoutMs: 100_000 });
  const asked = driver.probe().catch((err: Error) => err.message);
  await until(() => open.size > 0, "it has connected");
  driver.close();
  expect(await asked).toBe("closed meanwhile");
  await until(() => open.size === 0, "the connection is closed");
});
