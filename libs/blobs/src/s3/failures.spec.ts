import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { inS3Words, isPassing } from './failures.js';

const answer = (status: number, name: string, more: object = {}): Error =>
  Object.assign(new Error(`About ${name}`), { name, $metadata: { httpStatusCode: status }, ...more });
const unsent = (code: string): Error => Object.assign(new Error(code), { code });

describe('a failure of the object store', () => {
  it.each([
    ['SlowDown', answer(503, 'SlowDown'), 'unavailable', 's3_unavailable', true],
    ['an error of its own', answer(500, 'InternalError'), 'unavailable', 's3_unavailable', true],
    ['a proxy without it', answer(502, 'Unknown'), 'unavailable', 's3_unavailable', true],
    ['a limit on requests', answer(429, 'TooManyRequests'), 'unavailable', 's3_unavailable', true],
    ['nobody there', unsent('ECONNREFUSED'), 'unavailable', 's3_unavailable', true],
    ['a broken connection', unsent('ECONNRESET'), 'unavailable', 's3_unavailable', true],
    [
      'no answer in time',
      Object.assign(unsent('ETIMEDOUT'), { name: 'TimeoutError' }),
      'unavailable',
      's3_unavailable',
      true,
    ],
    ['a full disk', answer(507, 'XMinioStorageFull'), 'out_of_space', 'out_of_space', false],
    ['a quota', answer(400, 'QuotaExceeded'), 'out_of_space', 'out_of_space', false],
    ['no bucket', answer(404, 'NoSuchBucket'), 'unavailable', 'no_bucket', false],
    ['an unknown key', answer(403, 'InvalidAccessKeyId'), 'unavailable', 'bad_s3_credentials', false],
    ['a wrong key', answer(403, 'SignatureDoesNotMatch'), 'unavailable', 'bad_s3_credentials', false],
    [
      'a wrong region',
      answer(400, 'AuthorizationHeaderMalformed'),
      'unavailable',
      'bad_s3_credentials',
      false,
    ],
    ['no right', answer(403, 'AccessDenied'), 'unavailable', 's3_denied', false],
    ['another clock', answer(403, 'RequestTimeTooSkewed'), 'unavailable', 'clock_skew', false],
    ['an unknown authority', unsent('SELF_SIGNED_CERT_IN_CHAIN'), 'unavailable', 's3_untrusted', false],
    ['an expired certificate', unsent('CERT_HAS_EXPIRED'), 'unavailable', 's3_untrusted', false],
  ])('is a sentence with a remedy: %s', (_, error, code, reason, again) => {
    const words = inS3Words(error, 's3://images at https://minio');
    expect(words).toMatchObject({ code, reason, remedy: expect.stringMatching(/\.$/) });
    expect(isPassing(error)).toBe(again);
  });

  it('that nobody foresaw names the store and the answer', () => {
    expect(inS3Words(answer(400, 'EntityTooSmall'), 's3://images').message).toBe(
      'The object store refuses a request: s3://images (400 EntityTooSmall)',
    );
  });

  it('says nothing of what was signed', () => {
    const words = inS3Words(
      answer(403, 'SignatureDoesNotMatch', {
        AWSAccessKeyId: 'key-id',
        StringToSign: 'AWS4…',
        SignatureProvided: 'abc',
      }),
      's3://images',
    );
    expect(inspect(words, { depth: 9 })).not.toMatch(/key-id|AWS4|abc/);
  });
});
