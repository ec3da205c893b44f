import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { messageOf } from '#libs/core';
import { LIMITS } from './limits.js';
import type { Verified, VerifyReply, VerifyTask } from './verify-messages.js';

interface Waiting {
  readonly task: VerifyTask;
  resolve(results: readonly Verified[]): void;
  reject(error: Error): void;
}

/** Threads that check certificates: as many as there are processors besides the one of the service, begun when they are needed. */
export class VerifyPool {
  readonly #idle: Worker[] = [];
  readonly #busy = new Map<Worker, Waiting>();
  #queue: Waiting[] = [];
  #next = 0;
  #closed = false;
  #rest: NodeJS.Timeout | undefined;

  /** Checks certificates, each by itself; the results in their order. @throws Error when a thread fails */
  verify(certificates: readonly Uint8Array[], now: Date): Promise<readonly Verified[]> {
    if (this.#closed) return Promise.reject(new Error('The threads that check certificates are closed'));
    return new Promise((resolve, reject) => {
      // Copies: a message takes the whole memory along of which these are parts.
      const copies = certificates.map((certificate) => new Uint8Array(certificate));
      const task = { number: this.#next, certificates: copies, now: now.getTime() };
      this.#next += 1;
      this.#queue.push({ task, resolve, reject });
      this.#assign();
    });
  }

  /** Ends the threads; what they were at fails. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#rest);
    const gone = new Error('The server is stopping');
    for (const waiting of [...this.#queue, ...this.#busy.values()]) waiting.reject(gone);
    this.#queue = [];
    await Promise.all([...this.#idle, ...this.#busy.keys()].map((worker) => worker.terminate()));
  }

  #assign(): void {
    clearTimeout(this.#rest);
    while (this.#queue.length > 0) {
      const worker = this.#idle.pop() ?? this.#begin();
      if (worker === undefined) return;
      const waiting = this.#queue.shift();
      if (waiting === undefined) return;
      this.#busy.set(worker, waiting);
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker thread, not a window
      worker.postMessage(waiting.task);
    }
  }

  /** Another thread; undefined when there are enough. */
  #begin(): Worker | undefined {
    const most = Math.max(1, Math.min(availableParallelism() - 1, LIMITS.verifyThreads));
    if (this.#busy.size + this.#idle.length >= most) return undefined;
    const worker = startWorker();
    worker.on('message', ({ results }: VerifyReply) => {
      this.#busy.get(worker)?.resolve(results);
      this.#release(worker);
    });
    worker.on('error', (error) => this.#lose(worker, messageOf(error)));
    worker.on('exit', () => this.#lose(worker, 'it ended'));
    // Nobody waits for threads that have nothing to do.
    worker.unref();
    return worker;
  }

  #release(worker: Worker): void {
    this.#busy.delete(worker);
    this.#idle.push(worker);
    this.#assign();
    // An import is over some time; its threads hold memory.
    if (this.#busy.size === 0)
      this.#rest = setTimeout(() => void this.#dismiss(), LIMITS.verifyRestMs).unref();
  }

  async #dismiss(): Promise<void> {
    await Promise.all(this.#idle.splice(0).map((worker) => worker.terminate()));
  }

  #lose(worker: Worker, why: string): void {
    this.#busy.get(worker)?.reject(new Error(`A thread that checks certificates has failed: ${why}`));
    this.#busy.delete(worker);
    const at = this.#idle.indexOf(worker);
    if (at !== -1) this.#idle.splice(at, 1);
    if (!this.#closed) this.#assign();
  }
}

function startWorker(): Worker {
  const entry = new URL('./verify-worker.js', import.meta.url);
  const options = { name: 'certificate-verifier' };
  if (!import.meta.url.endsWith('.ts')) return new Worker(entry, options);
  // In tests this file is the TypeScript source, and so is the worker with everything that it imports.
  entry.pathname = entry.pathname.replace(/\.js$/, '.ts');
  const hooks = new URL('../../../test/support/typescript-hooks.mjs', import.meta.url);
  const execArgv = [
    '--conditions=source',
    '--experimental-transform-types',
    '--disable-warning=ExperimentalWarning',
    `--import=${hooks.href}`,
  ];
  return new Worker(entry, { ...options, execArgv });
}
