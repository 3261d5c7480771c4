/**
 * Texts with placeholders: "devices/%c", "username=%u&cert=%cn". Compiled once, rendered often.
 * The names in use by EMQ X 3.1: %u user name, %c client id, %a IP address, %P password, %cn and %dn of the certificate,
 * %A access (1 subscribe, 2 publish), %t topic. Anything else after a % stays as it is.
 */
export type Placeholder = "u" | "c" | "a" | "P" | "cn" | "dn" | "A" | "t";

export type TemplateValues = Partial<Readonly<Record<Placeholder, string | null>>>;

export class Template {
  /** Texts at even places, placeholders at odd ones. */
  readonly #parts: readonly string[];

  /** `names`: the placeholders to fill in. */
  constructor(
    readonly source: string,
    names: readonly Placeholder[],
  ) {
    // The longer name first, so that %cn is not %c and an n.
    const longestFirst = [...names].sort((a, b) => b.length - a.length);
    this.#parts = names.length === 0 ? [source] : source.split(new RegExp(`%(${longestFirst.join("|")})`));
  }

  /** No placeholder: the result is always the source. */
  get isConstant(): boolean {
    return this.#parts.length === 1;
  }

  uses(name: Placeholder): boolean {
    return this.#parts.some((p, i) => i % 2 === 1 && p === name);
  }

  /** A value that is null or missing becomes "". `encode` is applied to values only, e.g. encodeURIComponent. */
  render(values: TemplateValues, encode: (value: string) => string = (v) => v): string {
    let out = this.#parts[0] ?? "";
    for (let i = 1; i < this.#parts.length; i += 2) {
      out += encode(values[this.#parts[i] as Placeholder] ?? "") + (this.#parts[i + 1] ?? "");
    }
    return out;
  }
}
