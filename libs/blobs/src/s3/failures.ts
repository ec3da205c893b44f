import { DomainError, messageOf, systemCode } from '#libs/core';

/** What an answer of the store, or the lack of one, is called in the S3 protocol. */
export interface S3Failure {
  /** The error code of S3, or the code of the system. */
  readonly code: string;
  /** The HTTP status; undefined when there was no answer. */
  readonly status: number | undefined;
}

export function failureOf(error: unknown): S3Failure {
  const { name, $metadata } = error as {
    name?: string;
    $metadata?: { httpStatusCode?: number };
  };
  const status = $metadata?.httpStatusCode;
  const system = systemCode(error);
  return { code: (status === undefined ? system : undefined) ?? name ?? 'Error', status };
}

const ABSENT = new Set(['NoSuchKey', 'NotFound']);
const UNSENT = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENETDOWN',
  'EAI_AGAIN',
  'ENOTFOUND',
  'TimeoutError',
]);
const BUSY = new Set([
  'SlowDown',
  'RequestTimeout',
  'InternalError',
  'ServiceUnavailable',
  'OperationAborted',
]);
const FULL = new Set([
  'XMinioStorageFull',
  'QuotaExceeded',
  'XMinioAdminBucketQuotaExceeded',
  'InsufficientStorage',
]);
const STRANGERS = new Set([
  'InvalidAccessKeyId',
  'SignatureDoesNotMatch',
  'AuthorizationHeaderMalformed',
  'ExpiredToken',
  'InvalidToken',
  // versitygw answers so, with 404.
  'XAdminUserNotFound',
]);

export function isAbsent(error: unknown): boolean {
  return ABSENT.has(failureOf(error).code);
}

/** Whether it is worth asking again in a moment. Every request of the driver may be repeated. */
export function isPassing(error: unknown): boolean {
  const { code, status } = failureOf(error);
  if (FULL.has(code)) return false;
  if (status === undefined) return UNSENT.has(code);
  return (
    BUSY.has(code) ||
    code.startsWith('Throttl') ||
    status === 429 ||
    (status >= 500 && status !== 501 && status !== 507)
  );
}

/**
 * A failure as a sentence. Nothing of the request comes along: what the store says about a signature has the key's name in it.
 * @param place what the operator calls the store: its address and bucket
 */
export function inS3Words(error: unknown, place: string): Error {
  if (error instanceof DomainError) return error;
  const failure = failureOf(error);
  const { code, status } = failure;
  const answer = status === undefined ? code : `${status} ${code}`;
  const cause = new Error(`${answer}: ${oneLine(messageOf(error))}`);
  const told = (errorCode: 'unavailable' | 'out_of_space', message: string, reason: string, remedy: string) =>
    new DomainError(errorCode, message, { reason, remedy, cause });
  if (FULL.has(code) || status === 507)
    return told(
      'out_of_space',
      'The object store has no space left',
      'out_of_space',
      'Delete images that nobody needs, or ask the operator for more space or a larger quota of the bucket.',
    );
  if (code === 'NoSuchBucket')
    return told(
      'unavailable',
      `There is no bucket for the blobs: ${place} (${answer})`,
      'no_bucket',
      'Ask the operator to make the bucket, or to set SCS_BLOBS_URL to another one.',
    );
  if (STRANGERS.has(code))
    return told(
      'unavailable',
      `The object store does not know the service by its key: ${place} (${answer})`,
      'bad_s3_credentials',
      'Ask the operator to look at SCS_S3_ACCESS_KEY_ID, SCS_S3_SECRET_ACCESS_KEY and SCS_S3_REGION.',
    );
  if (code === 'RequestTimeTooSkewed')
    return told(
      'unavailable',
      `The clock of the object store is another one: ${place} (${answer})`,
      'clock_skew',
      'Ask the operator to set the clocks of both machines.',
    );
  if (status === 403 || status === 401)
    return told(
      'unavailable',
      `The object store does not let the service do this: ${place} (${answer})`,
      's3_denied',
      'Ask the operator for a key that may list the bucket, and read, write and delete in it.',
    );
  if (isCertificate(code))
    return told(
      'unavailable',
      `The certificate of the object store is not trusted: ${place} (${answer})`,
      's3_untrusted',
      'Ask the operator to name its authority in SCS_S3_CA_FILE.',
    );
  if (isPassing(error))
    return new DomainError(
      'unavailable',
      status === undefined
        ? `The object store cannot be reached: ${place} (${answer})`
        : `The object store is overloaded or out of order: ${place} (${answer})`,
      {
        reason: 's3_unavailable',
        remedy: 'Try again in a few minutes; the operator can look at the object store.',
        retryAfter: 30,
        cause,
      },
    );
  return new Error(`The object store refuses a request: ${place} (${answer})`, { cause });
}

function isCertificate(code: string): boolean {
  return (
    code.startsWith('CERT_') ||
    code.startsWith('ERR_TLS_') ||
    code.startsWith('UNABLE_TO_') ||
    code === 'DEPTH_ZERO_SELF_SIGNED_CERT' ||
    code === 'SELF_SIGNED_CERT_IN_CHAIN'
  );
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').slice(0, 300);
}
