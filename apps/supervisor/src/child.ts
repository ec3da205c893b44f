import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { DomainError, messageOf } from '#libs/core';
import type { SupervisorLog } from './log.js';
import { identify, type ProcessIdentity } from './processes.js';

/** How to run one program of the instance. */
export interface ChildPlan {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  readonly env: NodeJS.ProcessEnv;
  /** Whether the program speaks over an IPC channel. */
  readonly ipc: boolean;
  /** Resolves when the program works; rejects with a sentence when it says that it cannot. */
  readonly ready: (child: ChildProcess) => Promise<void>;
}

export interface ChildWatch {
  readonly log: SupervisorLog;
  /** Told whenever the process behind the name is another one. */
  readonly onChange: (name: string, identity: ProcessIdentity | undefined) => void;
  /** Told when the program cannot be kept running. */
  readonly onGivenUp: (error: DomainError) => void;
}

/** A program that dies this often within this time is not restarted any more. */
const MOST_DEATHS = 5;
const WINDOW = 60_000;
const FIRST_PAUSE = 100;
const LONGEST_PAUSE = 5_000;
/** A program that does not say within this time that it works has failed. */
const READY_TIME = 60_000;
/** A program that was asked to stop is killed after this time; longer than the server gives its requests. */
const STOP_TIME = 30_000;

/** One program of the instance: started, watched, started again when it dies, stopped. */
export class Child {
  readonly #plan: ChildPlan;
  readonly #watch: ChildWatch;
  #process: ChildProcess | undefined;
  #stopping = false;
  #deaths: number[] = [];

  constructor(plan: ChildPlan, watch: ChildWatch) {
    this.#plan = plan;
    this.#watch = watch;
  }

  /** Starts the program and waits until it works. @throws DomainError with its own sentence when it does not */
  async start(): Promise<void> {
    const [program, ...args] = this.#plan.command;
    const child = spawn(program, args, {
      env: this.#plan.env,
      // A group of its own: Ctrl-C in a terminal reaches the supervisor alone, which ends its children in order.
      detached: true,
      stdio: this.#plan.ipc ? ['ignore', 'ignore', 'pipe', 'ipc'] : ['ignore', 'ignore', 'pipe'],
    });
    this.#process = child;
    const ended = endOf(child, this.#plan.name);
    this.#watch.onChange(this.#plan.name, child.pid === undefined ? undefined : identify(child.pid));
    try {
      await Promise.race([this.#plan.ready(child), ended.rejects, late(this.#plan.name)]);
    } catch (error) {
      child.kill('SIGKILL');
      await ended.done;
      this.#watch.onChange(this.#plan.name, undefined);
      throw error;
    }
    this.#watch.log.info(`${this.#plan.name} runs (process ${child.pid})`);
    void ended.done.then((how) => this.#died(how));
  }

  /** From now on the end of the program is wanted, and it is not started again. */
  expectEnd(): void {
    this.#stopping = true;
  }

  /** Asks the program to end and waits; kills it when it does not. */
  async stop(): Promise<void> {
    this.expectEnd();
    const child = this.#process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const done = new Promise<void>((resolve) => {
      child.once('exit', () => resolve());
    });
    child.kill('SIGTERM');
    const kill = setTimeout(() => child.kill('SIGKILL'), STOP_TIME);
    await done;
    clearTimeout(kill);
  }

  async #died(how: string): Promise<void> {
    this.#watch.onChange(this.#plan.name, undefined);
    if (this.#stopping) return;
    this.#watch.log.error(`${this.#plan.name} ${how}: starting it again`);
    const now = performance.now();
    this.#deaths = [...this.#deaths.filter((at) => now - at < WINDOW), now];
    if (this.#deaths.length > MOST_DEATHS) {
      const message = `${this.#plan.name} died ${this.#deaths.length} times within a minute, at last it ${how}`;
      this.#watch.onGivenUp(new DomainError('internal', message));
      return;
    }
    await wait(Math.min(FIRST_PAUSE * 2 ** (this.#deaths.length - 1), LONGEST_PAUSE));
    if (this.#stopping) return;
    try {
      await this.start();
    } catch (error) {
      // It cannot start: whether that passes is found out by trying again, until the window says enough.
      this.#watch.log.error(messageOf(error));
      await this.#died('did not start');
    }
  }
}

interface Ending {
  /** Resolves with how the process ended. */
  readonly done: Promise<string>;
  /** Rejects at the same moment, with what the process wrote last. */
  readonly rejects: Promise<never>;
}

const LAST_WORDS = 2_000;
const LAST_WORDS_TIME = 200;

function endOf(child: ChildProcess, name: string): Ending {
  let words = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    words = (words + text).slice(-LAST_WORDS);
  });
  const done = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(`cannot be started (${messageOf(error)})`));
    child.once('exit', (code, signalName) => {
      const how = signalName === null ? `ended with status ${code}` : `was killed by ${signalName}`;
      // Its last words may still be on their way; a grandchild that holds the pipe must not delay us.
      const closed = once(child, 'close');
      void Promise.race([closed, wait(LAST_WORDS_TIME)]).then(() => resolve(how));
    });
  });
  const rejects = done.then((how): never => {
    const said = words.trim();
    throw new DomainError('unprocessable', said === '' ? `${name} ${how}` : said);
  });
  rejects.catch(() => undefined);
  return { done, rejects };
}

async function late(name: string): Promise<never> {
  await wait(READY_TIME, undefined, { ref: false });
  throw new DomainError('unavailable', `${name} did not get ready within ${READY_TIME / 1000} seconds`);
}
