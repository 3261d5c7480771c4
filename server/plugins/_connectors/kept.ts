/** What an action keeps of its rows, with what gives them their meaning: an action that was changed may find rows of the one before on the disk. */
import { createHash } from "node:crypto";
import { causeIn, storedCause } from "../_sink/cause.ts";
import type { Codec } from "../_sink/types.ts";
import type { Cause } from "../actions.ts";
import { jsonCodec, jsonOf } from "./item.ts";

/** What an action's writing has made of a row, and what the row was made of; null = that is not known. */
export interface Made<I> {
  readonly item: I;
  readonly cause: Cause | null;
}

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

  get cause(): Cause | null {
    const kept = KEPT.decode(this.bytes);
    return Array.isArray(kept) ? causeIn(kept[CAUSE_AT]) : null;
  }

  /** For people: the values that are in it. */
  get shown(): string {
    return Buffer.from(this.bytes).toString("utf8");
  }
}

const DIGEST_CHARS = 16;

/** Digest, item, cause, which may be missing. */
const KEPT = jsonCodec<unknown>();
const CAUSE_AT = 2;

export interface KeptCodec<I> extends Codec<Made<I> | Foreign> {
  readonly ours: string;
}

/** `meaning`: what an item means nothing without; a digest of it is kept with each. */
export function keptCodec<I>(meaning: string): KeptCodec<I> {
  const ours = createHash("sha256").update(meaning).digest("base64url").slice(0, DIGEST_CHARS);
  const decode = (bytes: Uint8Array): Made<I> | Foreign => {
    const kept = KEPT.decode(bytes);
    const isOurs = Array.isArray(kept) && (kept.length === CAUSE_AT || kept.length === CAUSE_AT + 1) && kept[0] === ours;
    return isOurs ? { item: kept[1] as I, cause: causeIn(kept[CAUSE_AT]) } : new Foreign(new Uint8Array(bytes));
  };
  const encode = ({ item, cause }: Made<I>): Uint8Array =>
    Buffer.from(`["${ours}",${jsonOf(item)}${cause === null ? "" : `,${JSON.stringify(storedCause(cause))}`}]`);
  return {
    ours,
    encode: (made) => (made instanceof Foreign ? made.bytes : encode(made)),
    decode,
    adopt(made, from) {
      if (made instanceof Foreign) return decode(made.bytes);
      return (from as Partial<KeptCodec<I>>).ours === ours ? made : new Foreign(() => from.encode(made));
    },
  };
}
