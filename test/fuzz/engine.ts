import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Coverage } from './coverage.js';
import { mutate } from './mutate.js';
import type { Random } from './random.js';
import type { Target } from './targets.js';
import type { Watchdog } from './watchdog.js';

export interface EngineOptions {
  readonly target: Target;
  readonly coverage: Coverage;
  readonly random: Random;
  readonly watchdog: Watchdog;
  /** Milliseconds. */
  readonly duration: number;
  /** Called with an input that reaches something new. */
  readonly found: (input: Buffer) => void;
}

export interface Run {
  readonly inputs: number;
  /** Blocks, and kinds of refusals, that were reached. */
  readonly reached: number;
  /** Those that the corpus alone reaches. */
  readonly known: number;
  /** Bytes by which the process grew beyond what loading and the corpus took. */
  readonly grown: number;
}

/** An input that ended in something else than an answer. */
export class Crash extends Error {
  override readonly name = 'Crash';

  constructor(
    readonly input: Buffer,
    cause: unknown,
  ) {
    super(cause instanceof Error ? (cause.stack ?? cause.message) : String(cause), { cause });
  }
}

/** Inputs between two looks at the counters, which cost as much as many inputs. */
const BATCH = 64;

/**
 * Runs mutated inputs of a corpus through a target, keeps those that reach something new, and goes on from them. A batch that
 * reached something new is run again, one by one, to find out which input it was.
 * @throws Crash
 */
export async function fuzz({
  target,
  coverage,
  random,
  watchdog,
  duration,
  found,
}: EngineOptions): Promise<Run> {
  const reached = new Set<string>();
  const corpus: Buffer[] = [];
  let inputs = 0;
  const run = async (input: Buffer): Promise<string | undefined> => {
    inputs += 1;
    watchdog.begin(input);
    try {
      // A copy: readers may wipe what they were given.
      return await target.run(Buffer.from(input));
    } catch (error) {
      throw new Crash(input, error);
    } finally {
      watchdog.end();
    }
  };
  const news = (blocks: readonly string[], kind: string | undefined): boolean => {
    const before = reached.size;
    for (const block of blocks) reached.add(block);
    if (kind !== undefined) reached.add(kind);
    return reached.size > before;
  };
  const longest = target.longest;
  for (const seed of target.seeds()) {
    if (seed.length > longest) continue;
    const kind = await run(seed);
    if (news(coverage.take(), kind) || corpus.length === 0) corpus.push(seed);
  }
  const known = reached.size;
  const before = peak();
  const end = performance.now() + duration;
  while (performance.now() < end) {
    const batch = Array.from({ length: BATCH }, () =>
      (target.mutate ?? mutate)(random.of(corpus), random, { words: target.words, others: corpus, longest }),
    );
    let isNew = false;
    for (const input of batch) {
      const kind = await run(input);
      isNew ||= kind !== undefined && !reached.has(kind);
    }
    isNew ||= coverage.take().some((block) => !reached.has(block));
    if (!isNew) continue;
    for (const input of batch) {
      const kind = await run(input);
      if (!news(coverage.take(), kind)) continue;
      corpus.push(input);
      found(input);
    }
  }
  return { inputs, reached: reached.size, known, grown: peak() - before };
}

/** Bytes that the process used at most so far. */
function peak(): number {
  return Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) * 1024;
}

/** A name for an input. */
export const nameOf = (input: Buffer): string =>
  createHash('sha256').update(input).digest('hex').slice(0, 16);
