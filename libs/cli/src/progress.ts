import type { SingleBar } from 'cli-progress';
import { formatSize } from '#libs/core';
import { Rate } from './rate.js';

/** A running bar. Stop it on every path. */
export interface Bar {
  /** Sets how much is done. What was done before the first call took no time. */
  update(done: number, total?: number): void;
  stop(): void;
}

/** Makes progress bars; the only file that knows cli-progress. */
export interface ProgressMaker {
  /** A bar over bytes on standard error. `total` undefined: nobody knows how long it takes, only that it goes on. */
  bytes(label: string, total?: number): Bar;
  /** Takes the bar off the terminal for a moment: a message is about to be written where it stands. */
  makeRoom(): void;
}

const silent: Bar = { update: () => undefined, stop: () => undefined };

/** No bars at all: quiet, tests, programs. */
export const noProgress: ProgressMaker = { bytes: () => silent, makeRoom: () => undefined };

/** Where bars go. */
export interface ProgressStream extends NodeJS.WritableStream {
  readonly isTTY?: boolean;
}

export interface ProgressTimes {
  /** Milliseconds before a bar shows itself: what is over before that shows nothing. */
  readonly patience: number;
  /** Milliseconds between two lines where there is no terminal. */
  readonly interval: number;
}

const TIMES: ProgressTimes = { patience: 400, interval: 10_000 };

/** On a terminal a bar with rate and time left, otherwise a line every ten seconds. @param stream asked when something is shown */
export function progressOn(stream: () => ProgressStream, times: ProgressTimes = TIMES): ProgressMaker {
  const shown = new Set<TerminalBar>();
  return {
    bytes: (label, total) => {
      const job = new Job(label, total);
      if (stream().isTTY !== true) return new Lines(stream, job, times.interval);
      const bar = new TerminalBar(stream, job, times.patience, () => shown.delete(bar));
      shown.add(bar);
      return bar;
    },
    makeRoom: () => {
      for (const bar of shown) bar.hide();
    },
  };
}

/** What is told of a piece of work. */
class Job {
  readonly label: string;
  total: number | undefined;
  done = 0;
  readonly #rate = new Rate();

  constructor(label: string, total: number | undefined) {
    this.label = label;
    this.total = total;
  }

  update(done: number, total: number | undefined): void {
    this.done = done;
    this.total = total;
    this.#rate.update(done);
  }

  /** Hundredths that are done; undefined where that is not known. */
  get percentage(): number | undefined {
    return this.total === undefined || this.total === 0
      ? undefined
      : Math.floor((Math.min(this.done, this.total) / this.total) * 100);
  }

  /** `12 MiB / 50 MiB  3.1 MiB/s  12 s left` */
  get text(): string {
    const { total, done } = this;
    if (total === undefined) return done === 0 ? '' : formatSize(done);
    const rate = this.#rate.now();
    const left = rate === undefined || done >= total ? '' : `  ${formatTime((total - done) / rate)} left`;
    const speed = rate === undefined ? '' : `  ${formatSize(Math.round(rate))}/s`;
    return `${formatSize(done)} / ${formatSize(total)}${speed}${left}`;
  }
}

/** `45 s`, `3 min 20 s`, `2 h 5 min` */
function formatTime(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** For logs and pipes: no steering characters, and little of it. */
class Lines implements Bar {
  readonly #job: Job;
  readonly #timer: NodeJS.Timeout;

  constructor(stream: () => ProgressStream, job: Job, interval: number) {
    this.#job = job;
    this.#timer = setInterval(() => {
      const share = job.percentage === undefined ? [] : [`${job.percentage}%`];
      stream().write(`${[job.label, ...share, job.text].filter(Boolean).join('  ')}\n`);
    }, interval);
    this.#timer.unref();
  }

  update(done: number, total = this.#job.total): void {
    this.#job.update(done, total);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

/** Shows itself when it takes a while, and leaves the line empty at the end. */
class TerminalBar implements Bar {
  readonly #stream: () => ProgressStream;
  readonly #job: Job;
  readonly #onStop: () => void;
  readonly #timer: NodeJS.Timeout;
  #make: (() => SingleBar) | undefined;
  #bar: SingleBar | undefined;
  #stopped = false;

  constructor(stream: () => ProgressStream, job: Job, patience: number, onStop: () => void) {
    this.#stream = stream;
    this.#job = job;
    this.#onStop = onStop;
    this.#timer = setTimeout(() => void this.#load(), patience);
    this.#timer.unref();
  }

  update(done: number, total = this.#job.total): void {
    this.#job.update(done, total);
    this.#show();
    if (total !== undefined) this.#bar?.setTotal(total);
    this.#bar?.update(done, this.#texts());
  }

  /** Until it goes on. */
  hide(): void {
    this.#bar?.stop();
    this.#bar = undefined;
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.hide();
    this.#onStop();
  }

  async #load(): Promise<void> {
    const { SingleBar, Presets } = await import('cli-progress');
    const { label } = this.#job;
    this.#make = () =>
      new SingleBar(
        {
          stream: this.#stream(),
          // Also when nothing new was told: the time goes on, and the bar stands in a line that a message may have taken.
          forceRedraw: true,
          clearOnComplete: true,
          hideCursor: false,
          gracefulExit: false,
          format:
            this.#job.total === undefined ? `${label}  {text}` : `${label}  [{bar}] {percentage}%  {text}`,
        },
        Presets.legacy,
      );
    this.#show();
  }

  #show(): void {
    if (this.#stopped || this.#bar !== undefined || this.#make === undefined) return;
    this.#bar = this.#make();
    this.#bar.start(this.#job.total ?? 0, this.#job.done, this.#texts());
  }

  #texts(): object {
    return { text: this.#job.text };
  }
}
