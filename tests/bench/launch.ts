/** A broker's directory and ports, its start on a core of its own, and its end. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePorts, waitForPort } from "../support/ports.ts";
import type { Contestant } from "./brokers.ts";
import { pinned } from "./generator.ts";
import type { Via } from "./scenarios.ts";

export interface Certificate {
  keyfile: string;
  certfile: string;
}

/** What outlives a broker's restart. */
export interface Place {
  /** Its own, empty at first. */
  dir: string;
  ports: Record<Via, number>;
  /** null = no TLS. */
  certificate: Certificate | null;
  keeps: boolean;
  remove(): void;
}

export interface Running {
  readonly pid: number;
  /** Asks it to end, and makes it after `patience` ms. */
  stop(patience?: number): Promise<void>;
}

/** RSA for everybody: what a handshake costs depends on the kind of key more than on the broker. */
function makeCertificate(dir: string): Certificate {
  const files = { keyfile: join(dir, "key.pem"), certfile: join(dir, "cert.pem") };
  const made = ["-newkey", "rsa:2048", "-nodes", "-keyout", files.keyfile, "-out", files.certfile];
  const r = Bun.spawnSync(["openssl", "req", "-x509", ...made, "-days", "30", "-subj", "/CN=localhost"], { stderr: "pipe" });
  if (!r.success) throw new Error(`openssl makes no certificate: ${r.stderr.toString()}`);
  return files;
}

export function makePlace(kind: { tls: boolean; keeps: boolean }): Place {
  const dir = mkdtempSync(join(tmpdir(), "baomq-bench-"));
  const remove = () => rmSync(dir, { recursive: true, force: true });
  try {
    const [tcp = 0, ws = 0, tls = 0] = freePorts(3);
    return { dir, ports: { tcp, ws, tls }, certificate: kind.tls ? makeCertificate(dir) : null, keeps: kind.keeps, remove };
  } catch (err) {
    remove();
    throw err;
  }
}

/** Starts it on core 0 and does not wait. */
export function spawnAt(c: Contestant, at: Place): Running {
  const child = Bun.spawn(pinned(0, c.command(at)), { cwd: at.dir, stdio: ["ignore", "ignore", "ignore"] });
  return {
    pid: child.pid,
    async stop(patience = 10_000) {
      child.kill("SIGTERM");
      const late = setTimeout(() => child.kill("SIGKILL"), patience);
      await child.exited;
      clearTimeout(late);
    },
  };
}

/** Starts it, and returns when it accepts connections wherever it should. */
export async function launch(c: Contestant, at: Place): Promise<Running> {
  const running = spawnAt(c, at);
  try {
    for (const via of c.via) if (via !== "tls" || at.certificate !== null) await waitForPort(at.ports[via], 20_000);
  } catch (err) {
    await running.stop();
    throw new Error(`${c.name} did not start: ${err instanceof Error ? err.message : err}`);
  }
  return running;
}
