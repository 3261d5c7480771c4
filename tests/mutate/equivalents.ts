/** Mutants that change nothing anybody could see, each with the reason. They are neither tried nor counted. */
export interface Equivalent {
  readonly file: string;
  /** The line as it stands, without the space around it. */
  readonly line: string;
  /** What the run prints as the change. */
  readonly change: string;
  readonly reason: string;
}

export const EQUIVALENTS: readonly Equivalent[] = [];
