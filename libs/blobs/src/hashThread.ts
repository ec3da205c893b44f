import { messageOf } from '#libs/core';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { HashReply, HashRequest } from './hashMessages.js';
import type { RunningHash } from './runningHash.js';

/** More would take from the services what they win. */
const MOST_THREADS = 4;

/** The service's side of a hash thread: sends requests and hands out the replies, which come in the same order. */
class HashThread {
  readonly #worker: Worker;
  readonly #waiting: { resolve(reply: HashReply): void; reject(error: Error): void }[] = [];
  #stopped: Error | undefined;

  constructor() {
    const entry = new URL('./hashWorker.js', import.meta.url);
    // In tests this file is the TypeScript source, and so is the worker: Node strips its types.
    if (import.meta.url.endsWith('.ts')) entry.pathname = entry.pathname.replace(/\.js$/, '.ts');
    this.#worker = new Worker(entry, { name: 'hash' });
    this.#worker.on('message', (reply: HashReply) => {
      this.#waiting.shift()?.resolve(reply);
      if (this.#waiting.length === 0) this.#worker.unref();
    });
    this.#worker.on('error', (error) => this.#stop(messageOf(error)));
    this.#worker.on('exit', () => this.#stop('it has ended'));
    // An idle thread keeps no process alive; a hash that is under way does.
    this.#worker.unref();
  }

  get stopped(): boolean {
    return this.#stopped !== undefined;
  }

  /** Resolves with the reply. @throws Error when the thread has stopped */
  ask(request: HashRequest): Promise<HashReply> {
    if (this.#stopped) return Promise.reject(this.#stopped);
    return new Promise((resolve, reject) => {
      if (this.#waiting.length === 0) this.#worker.ref();
      this.#waiting.push({ resolve, reject });
      this.tell(request);
    });
  }

  /** A request that has no reply. */
  tell(request: HashRequest): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker thread, not a window
    this.#worker.postMessage(request);
  }

  #stop(why: string): void {
    this.#stopped ??= new Error(`The hash thread has stopped: ${why}`);
    for (const waiting of this.#waiting.splice(0)) waiting.reject(this.#stopped);
  }
}

const threads: (HashThread | undefined)[] = Array.from({
  length: Math.max(1, Math.min(MOST_THREADS, availableParallelism() - 1)),
});
let turn = 0;

/** Threads take turns; each is started when its turn comes first. */
function nextThread(): HashThread {
  const place = turn++ % threads.length;
  const known = threads[place];
  return known === undefined || known.stopped ? (threads[place] = new HashThread()) : known;
}

let numbers = 0;

/** SHA-256 that another thread computes. */
export class ThreadHash implements RunningHash {
  readonly #thread: HashThread;
  readonly #number: number;

  constructor(thread: HashThread = nextThread()) {
    this.#thread = thread;
    this.#number = numbers++;
  }

  async update(chunks: readonly Buffer[]): Promise<void> {
    await this.#thread.ask({ kind: 'update', hash: this.#number, chunks: chunks.map(sendable) });
  }

  copy(): ThreadHash {
    const copy = new ThreadHash(this.#thread);
    this.#thread.tell({ kind: 'copy', hash: this.#number, to: copy.#number });
    return copy;
  }

  digest(): Promise<string> {
    return this.#thread.ask({ kind: 'digest', hash: this.#number });
  }

  end(): void {
    this.#thread.tell({ kind: 'end', hash: this.#number });
  }
}

/** Shared memory is seen by both threads; of other memory a copy is sent, and no more of it than these bytes. */
function sendable(chunk: Buffer): Uint8Array {
  return chunk.buffer instanceof SharedArrayBuffer ? chunk : Uint8Array.from(chunk);
}
