import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe } from 'node:diagnostics_channel';
import { z } from 'zod';
import { type Documents, openDocuments } from '#libs/documents';
import { temporaryFolder } from './temporary.js';

/*
 * For tests that nobody learns from time what is hidden from them: what is not theirs is asked for like what is not there.
 */

const READING = ['get', 'getMany', 'scan', 'keys'] as const;
type Reader = Record<(typeof READING)[number], (...parameters: unknown[]) => Promise<unknown>>;
const REPEATED = 5;

type Opener = Pick<Documents, 'collection'>;

/** What requests to services of this process ask the databases, in order: `get images`, … */
export class ReadsSeen {
  readonly #names = new WeakMap<object, string>();
  /** The request that is watched, in what the server does for it and nowhere else: services read in the background too. */
  readonly #during = new AsyncLocalStorage<symbol>();
  #watched = Symbol('nothing');
  #seen: string[] = [];

  private constructor() {}

  /** Watches every database that is opened from now on. */
  static async watch(): Promise<ReadsSeen> {
    const folder = await temporaryFolder();
    const probe = await openDocuments(`sqlite:${folder.path}`, { service: 'probe', log: () => undefined });
    const reads = new ReadsSeen();
    subscribe('http.server.request.start', () => reads.#during.enterWith(reads.#watched));
    reads.#note(
      Object.getPrototypeOf(probe) as Opener,
      Object.getPrototypeOf(probe.collection({ name: 'probe', schema: z.object({}), indexes: {} })) as Reader,
    );
    await probe.close();
    await folder.remove();
    return reads;
  }

  /**
   * The reads of a request that may be sent more than once. What is remembered from one time to the next is not read again: the fewest
   * reads of several times are told.
   */
  async of(request: () => Promise<unknown>): Promise<readonly string[]> {
    let fewest: readonly string[] | undefined;
    for (let time = 0; time < REPEATED; time += 1) {
      this.#watched = Symbol('a request');
      this.#seen = [];
      await request();
      if (fewest === undefined || this.#seen.length < fewest.length) fewest = this.#seen;
    }
    return fewest ?? [];
  }

  #note(opener: Opener, reader: Reader): void {
    const [names, collection] = [this.#names, opener.collection];
    opener.collection = function named(this: Documents, spec) {
      const made = collection.call(this, spec);
      names.set(made, spec.name);
      return made as never;
    };
    const note = (name: string, asked: object): void => {
      if (this.#during.getStore() === this.#watched) this.#seen.push(`${name} ${names.get(asked) ?? '?'}`);
    };
    for (const name of READING) {
      const original = reader[name];
      reader[name] = function noted(this: object, ...parameters) {
        note(name, this);
        return original.apply(this, parameters);
      };
    }
  }
}

interface TimesCompared {
  /** Median of what is hidden, by that of what is not there. */
  readonly ratio: number;
  /** The same of two things of which neither is there: what this machine makes of no difference at all. */
  readonly control: number;
  /** How far from 1 the ratio may be, either way, as a factor. */
  readonly bound: number;
}

/** Less is below what code makes that runs less often than its neighbour: the reads are what is compared exactly. */
const LEAST_BOUND = 1.15;
const RESAMPLES = 400;

/**
 * Times three questions in turn, many times: a slow moment meets all of them. The bound comes from the questions between which
 * there is no difference: twice the largest ratio of medians that chance makes of their times, as often as they are drawn again.
 */
async function compareTimes(
  questions: Readonly<Record<'hidden' | 'absent' | 'control', () => Promise<unknown>>>,
  rounds: number,
): Promise<TimesCompared> {
  const names = ['hidden', 'absent', 'control'] as const;
  const times = { hidden: [] as number[], absent: [] as number[], control: [] as number[] };
  const warm = Math.ceil(rounds / 10);
  for (let round = -warm; round < rounds; round += 1) {
    // Another one is the first each time: the one behind may profit.
    const first = Math.floor(Math.random() * names.length);
    for (let turn = 0; turn < names.length; turn += 1) {
      const name = names[(first + turn) % names.length] ?? 'absent';
      const began = performance.now();
      await questions[name]();
      if (round >= 0) times[name].push(performance.now() - began);
    }
  }
  const ratioOf = (one: readonly number[], other: readonly number[]): number => median(one) / median(other);
  const same = [...times.absent, ...times.control];
  const draw = (): number[] =>
    Array.from({ length: rounds }, () => same[Math.floor(Math.random() * same.length)] ?? 0);
  const chance = Math.max(
    ...Array.from({ length: RESAMPLES }, () => Math.abs(Math.log(ratioOf(draw(), draw())))),
  );
  return {
    ratio: ratioOf(times.hidden, times.absent),
    control: ratioOf(times.control, times.absent),
    bound: Math.max(LEAST_BOUND, Math.exp(2 * chance)),
  };
}

/**
 * Compares many things, and prints every figure.
 * @returns those that can be told apart, with their figures
 */
export async function toldApart(
  things: Readonly<Record<string, Parameters<typeof compareTimes>[0]>>,
  rounds: number,
): Promise<string[]> {
  const lines: string[] = [];
  const apart: string[] = [];
  for (const [name, questions] of Object.entries(things)) {
    const compared = await compareTimes(questions, rounds);
    const [ratio, control, bound] = [compared.ratio, compared.control, compared.bound].map((one) =>
      one.toFixed(3),
    );
    const line = `${name}: ${ratio} (nothing against nothing ${control}, bound ${bound})`;
    lines.push(`  ${line}`);
    if (!isWithin(compared)) apart.push(line);
  }
  process.stdout.write(`Hidden against absent, medians of ${rounds}:\n${lines.join('\n')}\n`);
  return apart;
}

function isWithin({ ratio, bound }: TimesCompared): boolean {
  return ratio <= bound && ratio >= 1 / bound;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
