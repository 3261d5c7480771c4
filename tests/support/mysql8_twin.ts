/**
 * The log-in of MySQL 8 (`caching_sha2_password`) as its protocol has it, for want of a server: one account, whose password the server has in its
 * cache (a hash of it is enough) or not (then it has to come in full: over TLS as it is, else for the server's RSA key alone). Behind it prepared
 * statements, as far as the runtime's client asks.
 * [dev.mysql.com/doc/dev/mysql-server: Protocol::HandshakeV10, caching_sha2_password, COM_STMT_PREPARE, Binary Protocol Resultset]
 */
import { constants, createHash, generateKeyPairSync, privateDecrypt, randomBytes } from "node:crypto";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { freePorts } from "./ports.ts";

const PLUGIN = "caching_sha2_password";
const [PROTOCOL_41, SSL, TRANSACTIONS, SECURE_CONNECTION, PLUGIN_AUTH, LENENC_AUTH, DEPRECATE_EOF, CONNECT_WITH_DB] = [
  1 << 9,
  1 << 11,
  1 << 13,
  1 << 15,
  1 << 19,
  1 << 21,
  1 << 24,
  1 << 3,
];
const [FAST_AUTH_OK, FULL_AUTH, ASKS_FOR_KEY] = [3, 4, 2];
const [COM_QUIT, COM_QUERY, COM_PING, COM_STMT_PREPARE, COM_STMT_EXECUTE] = [0x01, 0x03, 0x0e, 0x16, 0x17];
const VAR_STRING = 0xfd;
const UTF8MB4 = 45;
const NONCE_BYTES = 20;

const keyPair = () => generateKeyPairSync("rsa", { modulusLength: 2048 });
const sha256 = (...parts: Uint8Array[]): Buffer => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
};
const xored = (a: Uint8Array, b: Uint8Array): Buffer => Buffer.from(a.map((byte, i) => byte ^ (b[i % b.length] as number)));
const u16 = (n: number): Buffer => Buffer.from([n & 0xff, n >> 8]);
const u32 = (n: number): Buffer => {
  const out = Buffer.alloc(4);
  out.writeUInt32LE(n >>> 0);
  return out;
};
/** Below 251 bytes the length is one byte. */
const short = (text: string): Buffer => Buffer.concat([Buffer.from([Buffer.byteLength(text)]), Buffer.from(text)]);

const OK = Buffer.from([0, 0, 0, 2, 0, 0, 0]);
const EOF = Buffer.from([0xfe, 0, 0, 2, 0]);
/** An OK packet in an EOF's place, for whoever has given up on those. */
const OK_AT_END = Buffer.from([0xfe, 0, 0, 2, 0, 0, 0]);

function refusal(errno: number, state: string, text: string): Buffer {
  return Buffer.concat([Buffer.from([0xff]), u16(errno), Buffer.from(`#${state}${text}`)]);
}

function columnDefinition(name: string): Buffer {
  const names = ["def", "", "", "", name, name].map(short);
  return Buffer.concat([...names, Buffer.from([0x0c]), u16(UTF8MB4), u32(1024), Buffer.from([VAR_STRING, 0, 0, 0, 0, 0])]);
}

export interface Account {
  user: string;
  password: string;
}

/** Column names, and rows of texts. */
export type Answer = readonly [columns: readonly string[], rows: readonly (readonly string[])[]];

export class MySql8Twin {
  readonly port: number = freePorts(1)[0] as number;
  /** The server knows a hash of the password already. */
  cached = true;
  /** How passwords came: "hash", "rsa", "tls". */
  readonly came: string[] = [];
  readonly #rsa = keyPair();
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;

  constructor(
    readonly account: Account,
    readonly answer: (sql: string, values: readonly string[]) => Answer,
    readonly tls: { cert: string; key: string } | null = null,
  ) {
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on("error", () => {});
      void new Peer(this, socket, this.#rsa).serve().catch(() => socket.destroy());
    });
  }

  start(): Promise<void> {
    return new Promise((done) => this.#server.listen(this.port, "127.0.0.1", done));
  }

  remove(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

/** One connection. */
class Peer {
  #stream: Socket;
  #read = Buffer.alloc(0);
  #wake: (() => void) | null = null;
  #ended = false;
  #sequence = 0;
  #eof = true;
  readonly #nonce = Buffer.from(randomBytes(NONCE_BYTES).map((b) => (b % 127) + 1));
  readonly #statements: string[] = [];

  constructor(
    private readonly twin: MySql8Twin,
    socket: Socket,
    private readonly rsa: ReturnType<typeof keyPair>,
  ) {
    this.#stream = socket;
    this.#hear(socket);
  }

  #hear(stream: Socket): void {
    stream.on("data", (chunk: Buffer) => {
      this.#read = Buffer.concat([this.#read, chunk]);
      this.#wake?.();
    });
    stream.on("close", () => {
      this.#ended = true;
      this.#wake?.();
    });
  }

  async #packet(): Promise<Buffer> {
    for (;;) {
      const length = this.#read.length < 4 ? Number.POSITIVE_INFINITY : this.#read.readUIntLE(0, 3);
      if (this.#read.length >= 4 + length) {
        const body = this.#read.subarray(4, 4 + length);
        this.#sequence = (this.#read[3] as number) + 1;
        this.#read = this.#read.subarray(4 + length);
        return body;
      }
      if (this.#ended) throw new Error("gone");
      await new Promise<void>((wake) => (this.#wake = wake));
    }
  }

  #send(...bodies: Buffer[]): void {
    for (const body of bodies) {
      const head = Buffer.alloc(4);
      head.writeUIntLE(body.length, 0, 3);
      head[3] = this.#sequence++;
      this.#stream.write(Buffer.concat([head, body]));
    }
  }

  async serve(): Promise<void> {
    if (!(await this.#logIn())) return void this.#stream.end();
    this.#send(OK);
    for (;;) {
      const command = await this.#packet();
      if (command[0] === COM_QUIT) return void this.#stream.end();
      this.#obey(command);
    }
  }

  // ---- the log-in

  async #logIn(): Promise<boolean> {
    const tls = this.twin.tls === null ? 0 : SSL;
    const can = PROTOCOL_41 | TRANSACTIONS | SECURE_CONNECTION | PLUGIN_AUTH | LENENC_AUTH | DEPRECATE_EOF | CONNECT_WITH_DB | tls;
    const [first, second] = [this.#nonce.subarray(0, 8), this.#nonce.subarray(8)];
    const version = Buffer.from("\x0a8.0.36\0");
    const flags = [u16(can & 0xffff), Buffer.from([UTF8MB4]), u16(2), u16(can >>> 16), Buffer.from([NONCE_BYTES + 1]), Buffer.alloc(10)];
    this.#send(Buffer.concat([version, u32(1), first, Buffer.from([0]), ...flags, second, Buffer.from(`\0${PLUGIN}\0`)]));
    let response = await this.#packet();
    const encrypted = response.length === 32 && (response.readUInt32LE(0) & SSL) !== 0;
    if (encrypted) {
      await this.#toTls();
      response = await this.#packet();
    }
    const { user, proof, capabilities } = read(response);
    this.#eof = (capabilities & DEPRECATE_EOF) === 0;
    const { account } = this.twin;
    const once = sha256(Buffer.from(account.password));
    const right = xored(once, sha256(sha256(once), this.#nonce));
    if (user === account.user && this.twin.cached && proof.equals(right)) {
      this.twin.came.push("hash");
      this.#send(Buffer.from([1, FAST_AUTH_OK]));
      return true;
    }
    if (proof.length === 0 && user === account.user && account.password === "") return true;
    // As the server: who is wrong, or not known, has to give it in full, too.
    this.#send(Buffer.from([1, FULL_AUTH]));
    const given = await this.#fullPassword(encrypted);
    if (user === account.user && given === account.password) return true;
    this.#send(refusal(1045, "28000", `Access denied for user '${user}'@'localhost' (using password: YES)`));
    return false;
  }

  /** What comes from here on goes through a TLS server of its own, that which has come already first. */
  #toTls(): Promise<void> {
    const socket = this.#stream;
    socket.removeAllListeners("data");
    return new Promise((done) => {
      const inner = createTlsServer(this.twin.tls as { cert: string; key: string }, (secure) => {
        secure.on("error", () => {});
        this.#stream = secure;
        this.#hear(secure);
        inner.close();
        done();
      });
      inner.on("tlsClientError", () => socket.destroy());
      inner.listen(0, "127.0.0.1", () => {
        const bridge = connect((inner.address() as AddressInfo).port, "127.0.0.1");
        bridge.on("error", () => socket.destroy());
        bridge.write(this.#read);
        this.#read = Buffer.alloc(0);
        socket.pipe(bridge).pipe(socket);
      });
    });
  }

  async #fullPassword(encrypted: boolean): Promise<string> {
    let packet = await this.#packet();
    if (encrypted) {
      this.twin.came.push("tls");
      return packet.toString("utf8").replace(/\0$/, "");
    }
    if (packet.length !== 1 || packet[0] !== ASKS_FOR_KEY) throw new Error("a password in clear text");
    this.#send(Buffer.concat([Buffer.from([1]), Buffer.from(this.rsa.publicKey.export({ type: "spki", format: "pem" }))]));
    packet = await this.#packet();
    this.twin.came.push("rsa");
    const sealed = privateDecrypt({ key: this.rsa.privateKey, padding: constants.RSA_PKCS1_OAEP_PADDING }, packet);
    return xored(sealed, this.#nonce).toString("utf8").replace(/\0$/, "");
  }

  // ---- what is asked

  #obey(command: Buffer): void {
    const [word] = command;
    if (word === COM_PING || word === COM_QUERY) this.#send(OK);
    else if (word === COM_STMT_PREPARE) this.#prepare(command.subarray(1).toString("utf8"));
    else if (word === COM_STMT_EXECUTE) this.#execute(command);
    // To close a statement has no answer.
  }

  #prepare(sql: string): void {
    const id = this.#statements.push(sql);
    const values = paramsIn(sql);
    const [columns] = this.twin.answer(
      sql,
      Array.from({ length: values }, () => ""),
    );
    const end = this.#eof ? [EOF] : [];
    const params = values === 0 ? [] : [...Array.from({ length: values }, () => columnDefinition("?")), ...end];
    this.#send(Buffer.concat([Buffer.from([0]), u32(id), u16(columns.length), u16(values), Buffer.from([0, 0, 0])]), ...params);
    this.#send(...columns.map(columnDefinition), ...end);
  }

  /** Command, statement (4), flags, iterations (4), which are NULL, their types (2 each), their values. */
  #execute(command: Buffer): void {
    const sql = this.#statements[command.readUInt32LE(1) - 1] as string;
    const n = paramsIn(sql);
    const values: string[] = [];
    let at = 10 + (n === 0 ? 0 : Math.ceil(n / 8) + 1 + 2 * n);
    for (let i = 0; i < n; i++) {
      const length = command[at++] as number;
      values.push(command.subarray(at, at + length).toString("utf8"));
      at += length;
    }
    const [columns, rows] = this.twin.answer(sql, values);
    this.#send(Buffer.from([columns.length]), ...columns.map(columnDefinition), ...(this.#eof ? [EOF] : []));
    const nulls = Buffer.alloc(Math.ceil((columns.length + 2) / 8));
    this.#send(...rows.map((row) => Buffer.concat([Buffer.from([0]), nulls, ...row.map(short)])), this.#eof ? EOF : OK_AT_END);
  }
}

const paramsIn = (sql: string): number => sql.split("?").length - 1;

/** Capabilities (4), largest packet (4), character set, 23 times nothing, the user's name, what proves it. */
function read(response: Buffer): { user: string; proof: Buffer; capabilities: number } {
  const capabilities = response.readUInt32LE(0);
  const end = response.indexOf(0, 32);
  const length = response[end + 1] as number;
  return { user: response.subarray(32, end).toString("utf8"), proof: response.subarray(end + 2, end + 2 + length), capabilities };
}
