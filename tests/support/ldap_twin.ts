/** A directory that answers binds and searches [RFC 4511] with the result codes a test wants: real ones say them of accounts they have locked. */
import type { Socket, TCPSocketListener } from "bun";

/** An entry's attributes. */
export type TwinEntry = Readonly<Record<string, string>>;

export interface TwinAnswers {
  /** Result code: 0 = the password is taken. */
  bind(dn: string, password: string): number;
  /** Result code, or the entry of that name. */
  search(dn: string): number | TwinEntry;
}

const [SEQUENCE, SET, INTEGER, ENUMERATED, TEXT] = [0x30, 0x31, 2, 10, 4];
const [BIND, BIND_ANSWER, SEARCH, SEARCH_ENTRY, SEARCH_DONE] = [0x60, 0x61, 0x63, 0x64, 0x65];

interface Element {
  tag: number;
  value: Buffer;
  /** Where the next one begins. */
  end: number;
}

/** null = it has not come as a whole. */
function elementAt(bytes: Buffer, at: number): Element | null {
  const [tag, first] = [bytes[at], bytes[at + 1]];
  if (tag === undefined || first === undefined) return null;
  const more = first < 0x80 ? 0 : first & 0x7f;
  const from = at + 2 + more;
  if (from > bytes.length) return null;
  const end = from + (more === 0 ? first : bytes.readUIntBE(at + 2, more));
  return end > bytes.length ? null : { tag, value: bytes.subarray(from, end), end };
}

function elementsIn(bytes: Buffer): Element[] {
  const found: Element[] = [];
  for (let e = elementAt(bytes, 0); e !== null; e = elementAt(bytes, e.end)) found.push(e);
  return found;
}

function element(tag: number, ...parts: Buffer[]): Buffer {
  const value = Buffer.concat(parts);
  const length = value.length < 0x80 ? [value.length] : [0x82, value.length >> 8, value.length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...length]), value]);
}
const text = (value: string): Buffer => element(TEXT, Buffer.from(value));
const result = (tag: number, code: number): Buffer => element(tag, element(ENUMERATED, Buffer.from([code])), text(""), text(""));
const attribute = ([name, value]: [string, string]): Buffer => element(SEQUENCE, text(name), element(SET, text(value)));
const entry = (dn: string, attributes: TwinEntry): Buffer =>
  element(SEARCH_ENTRY, text(dn), element(SEQUENCE, ...Object.entries(attributes).map(attribute)));

export class LdapTwin {
  readonly #listener: TCPSocketListener<{ unread: Buffer }>;
  /** Names that were searched. */
  readonly searched: string[] = [];

  constructor(private readonly answers: TwinAnswers) {
    this.#listener = Bun.listen<{ unread: Buffer }>({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        open: (socket) => {
          socket.data = { unread: Buffer.alloc(0) };
        },
        data: (socket, chunk) => this.#read(socket, chunk),
      },
    });
  }

  get port(): number {
    return this.#listener.port;
  }

  stop(): void {
    this.#listener.stop(true);
  }

  #read(socket: Socket<{ unread: Buffer }>, chunk: Buffer): void {
    let unread = Buffer.concat([socket.data.unread, chunk]);
    for (let message = elementAt(unread, 0); message !== null; message = elementAt(unread, 0)) {
      unread = unread.subarray(message.end);
      const [id, asked] = elementsIn(message.value);
      if (id === undefined || asked === undefined) continue;
      for (const answer of this.#answers(asked)) socket.write(element(SEQUENCE, element(INTEGER, id.value), answer));
    }
    socket.data.unread = unread;
  }

  #answers({ tag, value }: Element): Buffer[] {
    const [first, second, third] = elementsIn(value).map((e) => e.value.toString());
    if (tag === BIND) return [result(BIND_ANSWER, this.answers.bind(second ?? "", third ?? ""))];
    if (tag !== SEARCH) return [];
    const dn = first ?? "";
    this.searched.push(dn);
    const found = this.answers.search(dn);
    return typeof found === "number" ? [result(SEARCH_DONE, found)] : [entry(dn, found), result(SEARCH_DONE, 0)];
  }
}
