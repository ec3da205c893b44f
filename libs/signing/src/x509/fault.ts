import { DomainError } from '#libs/core';

/**
 * Why a certificate is not trusted. Messages begin with the words of the stock tools and, as there, are about the
 * certificate alone: no signature was looked at yet (SIF contract §2.6).
 */
export function certificateError(
  reason: string,
  message: string,
  remedy?: string,
  cause?: unknown,
): DomainError {
  return new DomainError('unprocessable', `Failed to verify container: ${message}`, {
    reason,
    exitCode: 255,
    ...(remedy === undefined ? {} : { remedy }),
    cause,
  });
}
