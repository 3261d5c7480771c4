/** What an action keeps of its rows, with what gives them their meaning: an action that was changed may find rows of the one before on the disk. */
import { createHash } from "node:crypto";
import type { Codec } from "../_sink/types.ts";
import { jsonCodec } from "./item.ts";

/** An item that was made under another meaning: by a statement, say, whose values are in another order. */
export class Foreign {
  constructor(
    /** As it stands on the disk. */
    readonly bytes: Uint8Array,
  ) {}

  /** For people: the values that are in it. */
  get shown(): string {
    return Buffer.from(this.bytes).toString("utf8");
  }
}

const DIGEST_CHARS = 16;

/** `meaning`: what an item means nothing without; a digest of it is kept with each. */
export function keptCodec<I>(meaning: string): Codec<I | Foreign> {
  const ours = createHash("sha256").update(meaning).digest("base64url").slice(0, DIGEST_CHARS);
  const codec = jsonCodec<readonly [by: string, item: I]>();
  return {
    encode: (item) => (item instanceof Foreign ? item.bytes : codec.encode([ours, item])),
    decode(bytes) {
      const kept = codec.decode(bytes);
      return Array.isArray(kept) && kept.length === 2 && kept[0] === ours ? kept[1] : new Foreign(new Uint8Array(bytes));
    },
  };
}
