import { DomainError } from '#libs/core';

/** What is wrong with a key, a message or a signature. */
export function pgpError(
  reason: string,
  message: string,
  options: { remedy?: string; cause?: unknown } = {},
) {
  return new DomainError('unprocessable', message, { reason, ...options });
}
