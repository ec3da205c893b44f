import { DomainError } from '#libs/core';

/** An OCI image that is not what it should be. */
export function badImage(message: string, cause?: unknown): DomainError {
  return new DomainError('unprocessable', message, {
    reason: 'bad_oci_image',
    exitCode: 255,
    ...(cause === undefined ? {} : { cause }),
  });
}
