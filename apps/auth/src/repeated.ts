/** Work that is done again and again while the service runs: never twice at the same time, and not after the end. */
export class Repeated {
  readonly #work: () => Promise<unknown>;
  readonly #failed: (error: unknown) => void;
  readonly #timer: NodeJS.Timeout;
  #running: Promise<void> | undefined;

  /** @param every in milliseconds; the first time at once */
  constructor(every: number, work: () => Promise<unknown>, failed: (error: unknown) => void) {
    this.#work = work;
    this.#failed = failed;
    this.#timer = setInterval(() => this.#run(), every).unref();
    this.#run();
  }

  /** Resolves when what is under way has ended. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#running;
  }

  #run(): void {
    this.#running ??= this.#work()
      .then(() => undefined, this.#failed)
      .finally(() => {
        this.#running = undefined;
      });
  }
}
