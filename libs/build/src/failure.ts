import { DomainError } from '#libs/core';
import type { RunResult } from './runner.js';

/** An error that ends a build and is the author's to mend. Command lines end with status 255 (definition contract §12). */
export function buildFailure(
  message: string,
  options: { remedy?: string; cause?: unknown } = {},
): DomainError {
  return new DomainError('unprocessable', message, { reason: 'build_failed', exitCode: 255, ...options });
}

/** "exit status 3" or "signal SIGKILL". */
export function describeResult(result: RunResult): string {
  return result.signal === undefined
    ? `exit status ${result.status ?? 'unknown'}`
    : `signal ${result.signal}`;
}
