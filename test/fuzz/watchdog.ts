import { Worker } from 'node:worker_threads';

/** Bytes of the largest input that is kept for the case that it hangs. */
const LARGEST = 4 * 1024 * 1024;
/** Words in front of the input: a count that is odd while an input is worked on, and its length. */
const HEADER = 8;

const PROGRAM = `
const { workerData: { memory, limit, file } } = require('node:worker_threads');
const { writeFileSync, writeSync } = require('node:fs');
const words = new Int32Array(memory, 0, 2);
let seen = -1, since = 0;
const milliseconds = () => { const { user, system } = process.cpuUsage(); return (user + system) / 1000; };
setInterval(() => {
  const count = Atomics.load(words, 0);
  if (count !== seen || count % 2 === 0) { seen = count; since = milliseconds(); return; }
  if (milliseconds() - since < limit) return;
  writeFileSync(file, new Uint8Array(memory, ${HEADER}, Atomics.load(words, 1)));
  // Streams of a worker go through the thread that hangs.
  writeSync(2, 'An input takes longer than ' + limit + ' ms: ' + file + '\\n');
  process.kill(process.pid, 'SIGKILL');
}, 100);
`;

/**
 * Ends this process when one input keeps it busy for too long, and leaves that input in a file. Time of the processor counts, not of
 * the clock: a busy machine is no hang.
 */
export class Watchdog {
  readonly #memory = new SharedArrayBuffer(HEADER + LARGEST);
  readonly #words = new Int32Array(this.#memory, 0, 2);
  readonly #bytes = new Uint8Array(this.#memory, HEADER);
  readonly #worker: Worker;

  /** @param limit milliseconds of the processor */
  constructor(limit: number, file: string) {
    this.#worker = new Worker(PROGRAM, { eval: true, workerData: { memory: this.#memory, limit, file } });
    this.#worker.unref();
  }

  begin(input: Buffer): void {
    const kept = input.subarray(0, LARGEST);
    this.#bytes.set(kept);
    Atomics.store(this.#words, 1, kept.length);
    Atomics.add(this.#words, 0, 1);
  }

  end(): void {
    Atomics.add(this.#words, 0, 1);
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }
}
