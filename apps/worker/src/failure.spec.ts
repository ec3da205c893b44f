import { DomainError } from '#libs/core';
import { JobStopped } from '#libs/queue';
import { describe, expect, it } from 'vitest';
import { isStopped, reasonOf, TimedOut } from './failure.js';
import { Unwanted } from './log-writer.js';

describe('why a build failed', () => {
  it.each([
    [new DomainError('unprocessable', 'no shell', { remedy: 'Add one.' }), 'no shell. Add one.'],
    [new DomainError('unprocessable', 'Really?', { remedy: 'Yes.' }), 'Really? Yes.'],
    [new DomainError('unprocessable', 'exit status 3'), 'exit status 3'],
    [new TimedOut(3600), 'The build took longer than a build may here (60 minutes). Split it'],
    [Object.assign(new Error('write'), { code: 'ENOSPC' }), 'The disk of the builder is nearly full'],
    [
      new DomainError('unprocessable', 'No space', { reason: 'out_of_space' }),
      'The disk of the builder is nearly full',
    ],
  ])('is told with what helps: %s', (error, words) => {
    const { reason, isBug } = reasonOf(error);
    expect(reason.startsWith(words)).toBe(true);
    expect(isBug).toBe(false);
  });

  it('is not told when it is a bug', () => {
    expect(reasonOf(new TypeError('secret of the program'))).toEqual({
      isBug: true,
      reason: 'The build failed by a bug of the worker; the operator finds it in the log of the worker',
    });
  });

  it('is asked by nobody when the build was stopped', () => {
    for (const why of ['cancelled', 'lost', 'closing'] as const)
      expect(isStopped(new JobStopped(why))).toBe(true);
    expect(isStopped(new Unwanted())).toBe(true);
    expect(isStopped(new TimedOut(1))).toBe(false);
    expect(isStopped(undefined)).toBe(false);
  });
});
