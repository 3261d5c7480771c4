/**
 * The place of an action in its rule: what outlasts those that are opened there one after the other. Between two of them rows are held here, and
 * what the one has left waits for the next.
 */
import { sizeOf } from "../_connectors/item.ts";
import type { Action, ActionEvent, Legacy } from "../plugin.ts";
import { ActionFigures } from "./figures.ts";

/** Rows that are held, and their bytes. */
const HELD_MAX = 10_000;
const HELD_BYTES = 8 * 1024 * 1024;
/** What one costs beside its event and its values. */
const ROW_BYTES = 200;

type Row = Readonly<Record<string, unknown>>;

/** What made a row, as a rule gives it to its actions. */
export interface RowEvent extends ActionEvent {
  /** Of the event. */
  readonly bytes: number;
  /** The same to be kept: what it is of does not change any more. */
  kept(): ActionEvent;
}

interface Held {
  readonly row: Row;
  readonly event: ActionEvent;
  readonly bytes: number;
}

export class Place {
  readonly figures = new ActionFigures();
  /** Whose rows are held: the action that the rule has now. */
  owner: object | null = null;
  /** Somebody will be opened here soon. */
  isAwaited = false;
  #held: Held[] = [];
  #heldBytes = 0;
  #lost = 0;
  #legacy: Legacy | null = null;

  get waiting(): { rows: number; bytes: number } {
    return { rows: this.#held.length + (this.#legacy?.rows ?? 0), bytes: this.#heldBytes + (this.#legacy?.bytes ?? 0) };
  }

  /** Dead letters of the one that has left; null = nobody has left any. */
  get letters(): number | null {
    return this.#legacy?.letters ?? null;
  }

  /** A row that nobody takes now is held, or dropped where nobody is awaited, or there is no room. */
  hold(row: Row, event: RowEvent): void {
    const bytes = ROW_BYTES + event.bytes + sizeOf(row);
    if (!this.isAwaited || this.#held.length >= HELD_MAX || this.#heldBytes + bytes > HELD_BYTES) {
      this.figures.dropped++;
      if (this.isAwaited) this.#lost++;
      return;
    }
    this.#held.push({ row, event: event.kept(), bytes });
    this.#heldBytes += bytes;
  }

  /** So many found no room while somebody was awaited, since this was asked last. */
  takeLost(): number {
    const lost = this.#lost;
    this.#lost = 0;
    return lost;
  }

  /** What was held, in order; it is held no more, and nobody is awaited. */
  take(): Held[] {
    const held = this.#held;
    this.#held = [];
    this.#heldBytes = 0;
    this.isAwaited = false;
    return held;
  }

  /** Nobody comes: what is held is dropped. What the last one has left stays, for whenever somebody comes. */
  giveUp(): void {
    this.figures.dropped += this.take().length;
  }

  /** Where what another one has left is still there, whoever leaves now was never given it, nor any row: it leaves nothing. */
  leave(legacy: Legacy): void {
    this.#legacy ??= legacy;
  }

  /** Give the one that takes this place what the last one has left. */
  bequeath(action: Action): void {
    if (this.#legacy === null) return;
    if (action.inherit?.(this.#legacy) === true) this.#legacy = null;
    else this.#forgetLegacy();
  }

  /** Nobody will ever come. */
  end(): void {
    this.giveUp();
    this.#forgetLegacy();
  }

  #forgetLegacy(): void {
    this.figures.dropped += this.#legacy?.rows ?? 0;
    this.#legacy = null;
  }
}
