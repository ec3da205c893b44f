import { DomainError, messageOf, systemCode } from '#libs/core';
import { JobStopped } from '#libs/queue';
import { DiskFull } from './disk-watch.js';
import { Unwanted } from './log-writer.js';

/** The build took longer than it may. */
export class TimedOut extends Error {
  override readonly name = 'TimedOut';

  constructor(readonly seconds: number) {
    super(`Longer than ${seconds} seconds`);
  }
}

/** Whether this reason of a stop means that nobody asks how the build ended. */
export function isStopped(reason: unknown): boolean {
  return reason instanceof JobStopped || reason instanceof Unwanted;
}

/** Why a build failed, for its author: what happened, and what helps. */
export function reasonOf(error: unknown): { readonly reason: string; readonly isBug: boolean } {
  const known = (reason: string) => ({ reason, isBug: false });
  if (error instanceof TimedOut)
    return known(
      `The build took longer than a build may here (${Math.round(error.seconds / 60)} minutes). Split it into a base that you build once and the rest, or build it on your own machine`,
    );
  const full = error instanceof DiskFull || isOutOfSpace(error);
  if (full)
    return known(
      'The disk of the builder is nearly full, and the build was stopped. Make the build smaller, or ask the operator for more room',
    );
  if (error instanceof DomainError) return known(inOne(error));
  return {
    reason: 'The build failed by a bug of the worker; the operator finds it in the log of the worker',
    isBug: true,
  };
}

function isOutOfSpace(error: unknown): boolean {
  if (error instanceof DomainError) return error.reason === 'out_of_space';
  const code = systemCode(error);
  return code === 'ENOSPC' || code === 'EDQUOT';
}

/** Message and remedy as one line. */
function inOne(error: DomainError): string {
  const message = messageOf(error);
  if (error.remedy === undefined) return message;
  return `${message}${/[.!?]$/.test(message) ? '' : '.'} ${error.remedy}`;
}
