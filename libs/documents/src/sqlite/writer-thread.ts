import { messageOf } from '#libs/core';
import { Worker } from 'node:worker_threads';
import type { DriverCommit } from '../driver.js';
import { databaseError } from './errors.js';
import type { WriterBatch, WriterData, WriterHello, WriterReply, WriterRequest } from './messages.js';

interface Waiting {
  resolve(result: DriverCommit | undefined): void;
  reject(error: Error): void;
}

/** The service's side of the writer thread: sends the requests of one tick together and hands out the replies. */
export class WriterThread {
  readonly #worker: Worker;
  readonly #file: string;
  readonly #waiting = new Map<number, Waiting>();
  #queue: { number: number; request: WriterRequest }[] = [];
  #next = 0;
  #stopped: Error | undefined;

  private constructor(worker: Worker, file: string) {
    this.#worker = worker;
    this.#file = file;
    worker.on('message', (replies: readonly WriterReply[]) => this.#settle(replies));
    worker.on('error', (error) => this.#stop(messageOf(error)));
    worker.on('exit', () => this.#stop('it was closed'));
    // An idle database keeps no process alive; a write that is under way does.
    worker.unref();
  }

  /** @throws DomainError when the file cannot be opened */
  static async start(data: WriterData): Promise<WriterThread> {
    const entry = new URL('./writer.js', import.meta.url);
    // In tests this file is the TypeScript source, and so is the writer: Node strips its types.
    if (import.meta.url.endsWith('.ts')) entry.pathname = entry.pathname.replace(/\.js$/, '.ts');
    const worker = new Worker(entry, { workerData: data, name: 'database-writer' });
    const hello = await greeting(worker);
    if (hello !== 'ready') throw databaseError(hello, data.file);
    return new WriterThread(worker, data.file);
  }

  /** True when every request was answered: nothing is being written. */
  get idle(): boolean {
    return this.#waiting.size === 0;
  }

  /** Resolves when the request is done and, for writes, on the disk. */
  request(request: WriterRequest): Promise<DriverCommit | undefined> {
    if (this.#stopped !== undefined) return Promise.reject(this.#stopped);
    return new Promise((resolve, reject) => {
      if (this.#waiting.size === 0) this.#worker.ref();
      const number = this.#next++;
      this.#waiting.set(number, { resolve, reject });
      this.#queue.push({ number, request });
      if (this.#queue.length === 1) queueMicrotask(() => this.#flush());
    });
  }

  /** Rejects when the thread has stopped. */
  check(): void {
    if (this.#stopped !== undefined) throw this.#stopped;
  }

  #flush(): void {
    const batch: WriterBatch = this.#queue;
    this.#queue = [];
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker thread, not a window
    this.#worker.postMessage(batch);
  }

  #settle(replies: readonly WriterReply[]): void {
    for (const { number, result, failure } of replies) {
      const waiting = this.#waiting.get(number);
      this.#waiting.delete(number);
      if (failure === undefined) waiting?.resolve(result);
      else waiting?.reject(databaseError(failure, this.#file));
    }
    if (this.#waiting.size === 0) this.#worker.unref();
  }

  #stop(why: string): void {
    this.#stopped ??= databaseError(
      { code: 'STOPPED', message: `the writer has stopped: ${why}` },
      this.#file,
    );
    for (const waiting of this.#waiting.values()) waiting.reject(this.#stopped);
    this.#waiting.clear();
  }
}

/** The first message of the thread. Leaves no listener behind. */
function greeting(worker: Worker): Promise<WriterHello['hello']> {
  return new Promise((resolve, reject) => {
    const done = (): void => {
      worker.off('message', onMessage);
      worker.off('error', onError);
      worker.off('exit', onExit);
    };
    const onMessage = ({ hello }: WriterHello): void => {
      done();
      resolve(hello);
    };
    const onError = (error: unknown): void => {
      done();
      reject(error instanceof Error ? error : new Error(messageOf(error)));
    };
    const onExit = (): void => {
      done();
      resolve({ code: 'STOPPED', message: 'the writer ended before it was ready' });
    };
    worker.on('message', onMessage);
    worker.on('error', onError);
    worker.on('exit', onExit);
  });
}
