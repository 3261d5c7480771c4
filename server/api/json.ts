/**
 * JSON as EMQ X 3.1 read it: of two equal names in an object the first counts, where `JSON.parse` takes the last. One pass; nesting is bounded,
 * so that neither the stack nor whoever walks the value later can be overrun.
 */

/** Not JSON, or nested too deep. */
export class JsonError extends Error {
  override readonly name = "JsonError";
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const LAST_CONTROL = 0x1f;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORDS: readonly (readonly [text: string, value: boolean | null])[] = [
  ["true", true],
  ["false", false],
  ["null", null],
];

/** RFC 8259. `depthMax`: arrays and objects within each other; 0 = none at all. @throws JsonError */
export function parseJson(text: string, depthMax: number): unknown {
  return new Parser(text).document(depthMax);
}

class Parser {
  #at = 0;

  constructor(private readonly text: string) {}

  document(depth: number): unknown {
    const value = this.#value(depth);
    this.#space();
    if (this.#at < this.text.length) throw this.#unexpected();
    return value;
  }

  /** `depth`: how many arrays and objects may still be opened. */
  #value(depth: number): unknown {
    this.#space();
    const c = this.text[this.#at];
    if (c === '"') return this.#string();
    if (c === "{" || c === "[") {
      if (depth === 0) throw new JsonError(`nested too deep at ${this.#at}`);
      this.#at++;
      return c === "{" ? this.#object(depth - 1) : this.#array(depth - 1);
    }
    for (const [word, value] of WORDS) if (this.text.startsWith(word, this.#at)) return this.#skip(word.length, value);
    return this.#number();
  }

  #object(depth: number): Record<string, unknown> {
    const object: Record<string, unknown> = {};
    if (this.#takes("}")) return object;
    do {
      this.#space();
      if (this.text[this.#at] !== '"') throw this.#unexpected();
      const name = this.#string();
      if (!this.#takes(":")) throw this.#unexpected();
      const value = this.#value(depth);
      if (!Object.hasOwn(object, name)) define(object, name, value);
    } while (this.#takes(","));
    if (!this.#takes("}")) throw this.#unexpected();
    return object;
  }

  #array(depth: number): unknown[] {
    const array: unknown[] = [];
    if (this.#takes("]")) return array;
    do array.push(this.#value(depth));
    while (this.#takes(","));
    if (!this.#takes("]")) throw this.#unexpected();
    return array;
  }

  #string(): string {
    const { text } = this;
    const start = this.#at;
    let escaped = false;
    let i = start + 1;
    for (let c = text.charCodeAt(i); c !== QUOTE; c = text.charCodeAt(i)) {
      // NaN, at the end of the text, is not greater either.
      if (!(c > LAST_CONTROL)) throw this.#unexpected(i);
      if (c === BACKSLASH) {
        escaped = true;
        i++;
      }
      i++;
    }
    this.#at = i + 1;
    return escaped ? unescaped(text.slice(start, i + 1), start) : text.slice(start + 1, i);
  }

  #number(): number {
    NUMBER.lastIndex = this.#at;
    if (!NUMBER.test(this.text)) throw this.#unexpected();
    const start = this.#at;
    this.#at = NUMBER.lastIndex;
    return Number(this.text.slice(start, this.#at));
  }

  #space(): void {
    for (let c = this.text[this.#at]; c === " " || c === "\n" || c === "\r" || c === "\t"; c = this.text[this.#at]) this.#at++;
  }

  #takes(mark: string): boolean {
    this.#space();
    if (this.text[this.#at] !== mark) return false;
    this.#at++;
    return true;
  }

  #skip<T>(n: number, value: T): T {
    this.#at += n;
    return value;
  }

  #unexpected(at = this.#at): JsonError {
    const c = this.text[at];
    return new JsonError(c === undefined ? "unexpected end" : `unexpected ${JSON.stringify(c)} at ${at}`);
  }
}

function unescaped(literal: string, at: number): string {
  try {
    return JSON.parse(literal) as string;
  } catch {
    throw new JsonError(`bad escape in the text at ${at}`);
  }
}

/** Plain assignment would take `__proto__` for something else. */
function define(object: Record<string, unknown>, name: string, value: unknown): void {
  if (name === "__proto__") Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
  else object[name] = value;
}
