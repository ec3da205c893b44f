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
  bytes(label: string, total?: number): Promise<Bar>;
}

const silent: Bar = { update: () => undefined, stop: () => undefined };

/** No bars at all: quiet, tests, programs. */
export const noProgress: ProgressMaker = { bytes: () => Promise.resolve(silent) };

/** Bars of cli-progress on `stream`; on a pipe a line every few seconds instead (`noTTYOutput`, else it is silent there). */
export function barsOn(stream: NodeJS.WritableStream): ProgressMaker {
  return {
    async bytes(label, total) {
      const { SingleBar, Presets } = await import('cli-progress');
      const bar = new SingleBar(
        {
          stream,
          noTTYOutput: true,
          notTTYSchedule: 5000,
          clearOnComplete: false,
          hideCursor: false,
          gracefulExit: false,
          format:
            total === undefined
              ? `${label}  {doneText}`
              : `${label}  [{bar}] {percentage}%  {doneText} / {totalText}`,
        },
        Presets.legacy,
      );
      let size = total ?? 0;
      const texts = (done: number) => ({ doneText: formatSize(done), totalText: formatSize(size) });
      bar.start(size, 0, texts(0));
      let stopped = false;
      return {
        update(done, newTotal) {
          if (newTotal !== undefined && newTotal !== size) {
            size = newTotal;
            bar.setTotal(size);
          }
          bar.update(done, texts(done));
        },
        stop() {
          if (stopped) return;
          stopped = true;
          bar.stop();
        },
      };
    },
  };
}
