/**
 * TLS inside a connection whose first bytes were a PROXY header. Bun can only start TLS on a socket from which nothing was read,
 * and the header comes in one read with the first TLS record: so the record layer runs on a stream that we feed.
 */
import { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";
import { type ChannelLike, Layer, type Link, lightened, NOBODY } from "./link.ts";
import type { TlsMaterial } from "./tls.ts";

/** The stream is given so many bytes at a time, until it says that some wait: what it keeps is counted by nobody. */
const PIECE = 16 * 1024;

/** The encrypted side. */
class Records extends Duplex {
  #rest: Uint8Array | null = null;
  #written: ((err?: Error | null) => void) | null = null;

  constructor(
    private readonly link: Link,
    /** Everything was written, close_notify included. */
    private readonly finished: () => void,
  ) {
    super();
  }

  override _read(): void {
    this.link.resume();
  }

  override _write(chunk: Uint8Array, _encoding: string, done: (err?: Error | null) => void): void {
    this.#rest = chunk;
    this.#written = done;
    this.flush();
  }

  override _final(done: (err?: Error | null) => void): void {
    this.finished();
    done();
  }

  override _destroy(err: Error | null, done: (err?: Error | null) => void): void {
    this.#written = null;
    done(err);
  }

  /** The socket takes bytes again. */
  flush(): void {
    const rest = this.#rest;
    const done = this.#written;
    if (rest === null || done === null) return;
    const n = this.link.write(rest, 0, rest.length);
    if (n >= 0 && n < rest.length) {
      this.#rest = rest.subarray(n);
      return;
    }
    this.#rest = null;
    this.#written = null;
    done(n < 0 ? new Error("closed") : null);
  }
}

export class TlsLayer extends Layer implements Link, ChannelLike {
  readonly #records: Records;
  readonly #tls: TLSSocket;
  #ended = false;

  constructor(
    link: Link,
    tls: TlsMaterial,
    alpn: readonly string[],
    /** The handshake is done; verification of the client's certificate is up to the caller. */
    secured: (layer: TlsLayer, socket: TLSSocket) => void,
    failed: (why: string) => void,
  ) {
    super(link);
    this.#records = new Records(link, () => {
      // The stream also ends itself when the peer does: then there is more to do than to close slowly.
      if (this.#ended) link.end();
    });
    this.#records.on("error", () => {});
    this.#tls = new TLSSocket(this.#records as never, {
      isServer: true,
      secureContext: tls.context(),
      requestCert: tls.requestCert,
      rejectUnauthorized: false,
      ALPNProtocols: [...alpn],
    });
    this.#tls.on("secure", () => secured(this, this.#tls));
    this.#tls.on("data", (chunk: Uint8Array) => this.channel.onData(lightened(chunk)));
    this.#tls.on("drain", () => this.channel.onDrain());
    this.#tls.on("error", (err) => {
      failed(err.message);
      this.link.abort("tls_error");
    });
    // close_notify of the peer: it will not read an answer either.
    this.#tls.on("end", () => this.link.abort("closed"));
    this.#tls.on("close", () => {
      if (!this.#ended) this.link.abort("closed");
    });
  }

  get ip(): string {
    return this.link.ip;
  }
  get port(): number {
    return this.link.port;
  }

  // ---- from the socket

  onData(chunk: Uint8Array): void {
    if (!this.#records.push(chunk)) this.link.pause();
  }
  onDrain(): void {
    this.#records.flush();
  }
  onClose(reason: string): void {
    const channel = this.channel;
    this.channel = NOBODY;
    this.#records.destroy();
    this.#tls.destroy();
    channel.onClose(reason);
  }

  // ---- for the layer above

  write(buf: Uint8Array, offset: number, length: number): number {
    if (this.#ended || this.#tls.destroyed) return -1;
    let done = 0;
    while (done < length && !this.#tls.writableNeedDrain) {
      const end = Math.min(done + PIECE, length);
      this.#tls.write(Buffer.from(buf.subarray(offset + done, offset + end)));
      done = end;
    }
    return done;
  }
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.channel = NOBODY;
    // A peer that reads nothing would keep the stream from ever finishing.
    this.link.expectWithin(2000, "closed");
    this.#tls.end();
  }
  /** The peer's close_notify is still to come. */
  finish(): void {
    this.end();
  }
  destroy(): void {
    this.#ended = true;
    this.channel = NOBODY;
    this.link.destroy();
    this.#tls.destroy();
    this.#records.destroy();
  }
  pause(): void {
    this.#tls.pause();
  }
  resume(): void {
    this.#tls.resume();
  }
}
