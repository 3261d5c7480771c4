/** Whoever closes waits until nothing is under way, and no longer than so long. */
export class Quiet {
  #tell: (() => void) | null = null;

  /** `timer`: returns cancel. */
  async within(ms: number, timer: (ms: number, fn: () => void) => () => void): Promise<void> {
    let cancel = (): void => {};
    await new Promise<void>((resolve) => {
      cancel = timer(ms, resolve);
      this.#tell = resolve;
    });
    cancel();
  }

  /** It is now. */
  is(): void {
    this.#tell?.();
  }
}
