import { DomainError } from '#libs/core';
import type { RunResult } from './runner.js';

/** An error that ends a build and is the author's to mend. Command lines end with status 255 (definition contract §12). */
export function buildFailure(
  message: string,
  options: { remedy?: string; cause?: unknown } = {},
): DomainError {
  return new DomainError('unprocessable', message, { reason: 'build_failed', exitCode: 255, ...options });
}

/** The disk on which the image is built is full: of a build, or of everything else. */
export function outOfSpace(cause?: unknown): DomainError {
  return new DomainError('unprocessable', 'No space is left on the disk on which the image is built', {
    reason: 'out_of_space',
    exitCode: 255,
    ...(cause === undefined ? {} : { cause }),
  });
}

/** "exit status 3" or "signal SIGKILL". */
export function describeResult(result: RunResult): string {
  return result.signal === undefined
    ? `exit status ${result.status ?? 'unknown'}`
    : `signal ${result.signal}`;
}
