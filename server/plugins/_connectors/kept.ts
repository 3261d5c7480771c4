/** What an action keeps of its rows, with what gives them their meaning: an action that was changed may find rows of the one before on the disk. */
import { createHash } from "node:crypto";
import type { Codec } from "../_sink/types.ts";
import { jsonCodec } from "./item.ts";

/** An item that was made under another meaning: by a statement, say, whose values are in another order. */
export class Foreign {
  #bytes: Uint8Array | (() => Uint8Array);

  constructor(bytes: Uint8Array | (() => Uint8Array)) {
    this.#bytes = bytes;
  }

  /** As it stands on the disk. */
  get bytes(): Uint8Array {
    if (typeof this.#bytes === "function") this.#bytes = this.#bytes();
    return this.#bytes;
  }

  /** For people: the values that are in it. */
  get shown(): string {
    return Buffer.from(this.bytes).toString("utf8");
  }
}

const DIGEST_CHARS = 16;

export interface KeptCodec<I> extends Codec<I | Foreign> {
  readonly ours: string;
}

/** `meaning`: what an item means nothing without; a digest of it is kept with each. */
export function keptCodec<I>(meaning: string): KeptCodec<I> {
  const ours = createHash("sha256").update(meaning).digest("base64url").slice(0, DIGEST_CHARS);
  const codec = jsonCodec<readonly [by: string, item: I]>();
  const decode = (bytes: Uint8Array): I | Foreign => {
    const kept = codec.decode(bytes);
    return Array.isArray(kept) && kept.length === 2 && kept[0] === ours ? kept[1] : new Foreign(new Uint8Array(bytes));
  };
  return {
    ours,
    encode: (item) => (item instanceof Foreign ? item.bytes : codec.encode([ours, item])),
    decode,
    adopt(item, from) {
      if (item instanceof Foreign) return decode(item.bytes);
      return (from as Partial<KeptCodec<I>>).ours === ours ? item : new Foreign(() => from.encode(item));
    },
  };
}
