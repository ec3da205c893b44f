import { DomainError } from '#libs/core';
import type { Target } from './targets.js';

/*
 * Readers with a fault that only certain inputs reach, so that a test can see that faults are found. Not fuzzed otherwise.
 */

/** Refuses everything but what begins with four letters, one after the other: each one reached is a new block. */
function reader(atTheEnd: () => void): Target['run'] {
  return async (input) => {
    if (input[0] !== 0x46) return 'refused at F';
    if (input[1] !== 0x55) return 'refused at U';
    if (input[2] !== 0x5a) return 'refused at Z';
    if (input[3] !== 0x21) throw new DomainError('bad_request', 'refused at !');
    atTheEnd();
    return 'read';
  };
}

const base = {
  sources: ['/test/fuzz/planted'],
  words: ['F', 'U', 'Z', '!'].map((letter) => Buffer.from(letter)),
  longest: 8,
  seeds: () => [Buffer.from('hello')],
};
const kept: Buffer[] = [];

export const PLANTED: readonly Target[] = [
  {
    ...base,
    name: 'planted-crash',
    run: tolerant(
      reader(() => {
        throw new TypeError('planted');
      }),
    ),
  },
  {
    ...base,
    name: 'planted-hang',
    run: tolerant(
      reader(() => {
        for (;;);
      }),
    ),
  },
  {
    ...base,
    name: 'planted-memory',
    run: tolerant(
      reader(() => {
        // A little each time, so that none of it takes long.
        if (kept.length < 5) kept.push(Buffer.alloc(64 * 1024 * 1024, 1));
        throw new DomainError('bad_request', 'too much');
      }),
    ),
  },
];

function tolerant(run: Target['run']): Target['run'] {
  return async (input) => {
    try {
      return await run(input);
    } catch (error) {
      if (error instanceof DomainError) return error.message;
      throw error;
    }
  };
}
