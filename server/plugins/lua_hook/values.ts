/** Values on their way between broker and script, as bytes: a kind, and what it takes. */

/** Bytes stay bytes; a text is UTF-8. null stands for Lua's nil too. */
export type Value = null | boolean | number | string | Uint8Array;

/** Of a value that is no text, at most. */
const VALUE_BYTES = 9;

/** About, bytes. */
export const sizeOf = (values: readonly Value[]): number =>
  values.reduce((sum: number, v) => sum + (typeof v === "string" || v instanceof Uint8Array ? v.length : VALUE_BYTES), 0);

const KIND = { null: 0, false: 1, true: 2, number: 3, text: 4, bytes: 5 } as const;

/** A buffer that grows while values are written, and is used again for the next ones. */
export class ValueWriter {
  #buf = Buffer.allocUnsafeSlow(4096);
  #length = 0;

  begin(first: number): this {
    this.#length = 1;
    this.#buf[0] = first;
    return this;
  }

  get bytes(): Buffer {
    const all = this.#buf.subarray(0, this.#length);
    // A single large message is no reason to keep as much for ever.
    if (this.#buf.length > 256 * 1024) this.#buf = Buffer.allocUnsafeSlow(4096);
    return all;
  }

  add(value: Value): this {
    if (value === null) this.#kind(KIND.null, 0);
    else if (value === false) this.#kind(KIND.false, 0);
    else if (value === true) this.#kind(KIND.true, 0);
    else if (typeof value === "number") {
      this.#kind(KIND.number, 8);
      this.#length = this.#buf.writeDoubleLE(value, this.#length);
    } else if (typeof value === "string") {
      this.#kind(KIND.text, 4 + value.length * 3);
      const n = this.#buf.write(value, this.#length + 4, "utf8");
      this.#buf.writeUInt32LE(n, this.#length);
      this.#length += 4 + n;
    } else {
      this.#kind(KIND.bytes, 4 + value.length);
      this.#length = this.#buf.writeUInt32LE(value.length, this.#length);
      this.#buf.set(value, this.#length);
      this.#length += value.length;
    }
    return this;
  }

  #kind(kind: number, room: number): void {
    const needed = this.#length + 1 + room;
    if (needed > this.#buf.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#buf.length * 2));
      larger.set(this.#buf.subarray(0, this.#length));
      this.#buf = larger;
    }
    this.#buf[this.#length++] = kind;
  }
}

/** What was written, behind the first byte. Bytes are copied: they may be kept. */
export function readValues(buf: Buffer): Value[] {
  const values: Value[] = [];
  let at = 1;
  const length = (): number => {
    at += 4;
    return buf.readUInt32LE(at - 4);
  };
  while (at < buf.length) {
    const kind = buf[at++];
    if (kind === KIND.null) values.push(null);
    else if (kind === KIND.false || kind === KIND.true) values.push(kind === KIND.true);
    else if (kind === KIND.number) {
      values.push(buf.readDoubleLE(at));
      at += 8;
    } else {
      const n = length();
      values.push(kind === KIND.text ? buf.toString("utf8", at, at + n) : new Uint8Array(buf.subarray(at, at + n)));
      at += n;
    }
  }
  return values;
}
