/** Rows of the packet tables. */
import type { ProtocolVersion } from "../../server/mqtt/types.ts";

interface Row {
  /** What it shows, with the clause of the specification where there is one. Unique in its table. */
  readonly name: string;
  readonly version: ProtocolVersion;
  /** The whole packet. */
  readonly bytes: Uint8Array;
}

/** A packet that must be understood as `value`. */
export interface GoodRow<T> extends Row {
  readonly value: T;
}

/** A packet that must be refused with this reason code of 5.0. */
export interface BadRow extends Row {
  readonly error: number;
}

export type DecodeRow<T> = GoodRow<T> | BadRow;

/** Arguments of one of our encoders and the packet that must come out. */
export interface EncodeRow<Args extends unknown[]> {
  readonly name: string;
  readonly version: ProtocolVersion;
  readonly args: Args;
  readonly bytes: Uint8Array;
}

export function isGood<T>(row: DecodeRow<T>): row is GoodRow<T> {
  return "value" in row;
}
