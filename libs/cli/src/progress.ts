import type { SingleBar } from 'cli-progress';
import { formatSize } from './output.js';

/** A running bar. Stop it on every path. */
export interface Bar {
  /** Sets how much is done. */
  update(done: number, total?: number): void;
  stop(): void;
}

/** Makes progress bars; the only file that knows cli-progress. */
export interface ProgressMaker {
  /** A bar over bytes on standard error. `total` undefined: unknown size. */
  bytes(label: string, total?: number): Bar;
}

const silent: Bar = { update: () => undefined, stop: () => undefined };

/** No bars at all: quiet, tests, programs. */
export const noProgress: ProgressMaker = { bytes: () => silent };

/** Bars of cli-progress on `stream`; on a pipe a line every few seconds instead (`noTTYOutput`, else it is silent there). */
export function barsOn(stream: () => NodeJS.WritableStream): ProgressMaker {
  return { bytes: (label, total) => new LazyBar(stream, label, total) };
}

/** Milliseconds before a bar shows itself. */
const PATIENCE = 400;

/** Shows itself when it takes a while; what is over before that shows nothing. */
class LazyBar implements Bar {
  readonly #stream: () => NodeJS.WritableStream;
  readonly #label: string;
  #total: number | undefined;
  #done = 0;
  #stopped = false;
  readonly #timer: NodeJS.Timeout;
  #bar: SingleBar | undefined;

  constructor(stream: () => NodeJS.WritableStream, label: string, total: number | undefined) {
    this.#stream = stream;
    this.#label = label;
    this.#total = total;
    this.#timer = setTimeout(() => void this.#load(), PATIENCE);
    this.#timer.unref();
  }

  update(done: number, total = this.#total): void {
    this.#done = done;
    if (total !== undefined && total !== this.#total) this.#bar?.setTotal(total);
    this.#total = total;
    this.#bar?.update(done, this.#texts());
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#bar?.stop();
    this.#bar = undefined;
  }

  async #load(): Promise<void> {
    const { SingleBar, Presets } = await import('cli-progress');
    if (this.#stopped) return;
    const label = this.#label;
    this.#bar = new SingleBar(
      {
        stream: this.#stream(),
        noTTYOutput: true,
        notTTYSchedule: 5000,
        clearOnComplete: false,
        hideCursor: false,
        gracefulExit: false,
        format:
          this.#total === undefined
            ? `${label}  {doneText}`
            : `${label}  [{bar}] {percentage}%  {doneText} / {totalText}`,
      },
      Presets.legacy,
    );
    this.#bar.start(this.#total ?? 0, this.#done, this.#texts());
  }

  #texts(): object {
    return { doneText: formatSize(this.#done), totalText: formatSize(this.#total ?? 0) };
  }
}
