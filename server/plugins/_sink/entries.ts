/** What waits, as it begins to: given now, or found on the disk. */
import { wordsOf } from "../../lib/errors.ts";
import { later } from "../../lib/time.ts";
import type { Codec, Entry, SinkHost, Stored } from "./types.ts";

/** What an item costs beside what its giver says. */
const ENTRY_BYTES = 150;

export class Entries<T> {
  constructor(
    private readonly clock: SinkHost["clock"],
    private readonly codec: Codec<T>,
  ) {}

  /** `bytes`: what the item takes in memory. */
  given(item: T, key: string, bytes: number, since = this.clock.mono()): Entry<T> {
    return { item, key, bytes: bytes + key.length + ENTRY_BYTES, order: 0, since, seq: 0, sends: 0, tries: 0 };
  }

  /** @throws when the codec does not know it */
  found({ seq, at, key, item }: Stored): Entry<T> {
    const age = Math.max(0, this.clock.now() - at);
    return { ...this.given(this.codec.decode(item), key, item.length, later(this.clock.mono(), -age)), seq };
  }

  /** Those that the codec knows. `lost`: of each other one, why. */
  foundOf(all: readonly Stored[], lost: (why: string) => void): Entry<T>[] {
    return all.flatMap((stored) => {
      try {
        return [this.found(stored)];
      } catch (err) {
        lost(wordsOf(err));
        return [];
      }
    });
  }

  /** As it was before it was a letter. `bytes`: of the item, or of the entry that it was. */
  again(item: T, key: string, bytes: number): Entry<T> {
    return { ...this.given(item, key, 0), bytes: Math.max(bytes, key.length + ENTRY_BYTES) };
  }
}

/** Numbers of those that are on the disk. */
export const seqsOf = (entries: readonly Entry<unknown>[]): number[] => entries.flatMap(({ seq }) => (seq > 0 ? [seq] : []));

export const itemsOf = <T>(entries: readonly Entry<T>[]): T[] => entries.map(({ item }) => item);
