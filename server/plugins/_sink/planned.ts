/** Something that is done behind what runs now, once however often it is asked for. */
export class Planned {
  #is = false;

  constructor(private readonly work: () => void) {}

  plan(): void {
    if (this.#is) return;
    this.#is = true;
    queueMicrotask(() => {
      this.#is = false;
      this.work();
    });
  }
}
