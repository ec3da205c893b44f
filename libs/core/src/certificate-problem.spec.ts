import { describe, expect, it } from 'vitest';
import { certificateProblem } from './certificate-problem.js';

const failure = (code: string, more: object = {}): Error => Object.assign(new Error('x'), { code, ...more });

describe('certificateProblem', () => {
  it.each([
    ['CERT_HAS_EXPIRED', 'expired'],
    ['CERT_NOT_YET_VALID', 'not_yet_valid'],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'untrusted'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'untrusted'],
  ])('knows %s as %s', (code, fault) => {
    expect(certificateProblem(failure(code))).toEqual({ fault, code, names: [] });
  });

  it('finds it in causes and among several failures', () => {
    const inner = new AggregateError([failure('ECONNREFUSED'), failure('CERT_HAS_EXPIRED')]);
    expect(certificateProblem(new Error('fetch failed', { cause: inner }))?.fault).toBe('expired');
  });

  it('names what the certificate is good for', () => {
    const cert = { subjectaltname: 'DNS:a.example.org, DNS:*.b.example.org, IP Address:192.0.2.1' };
    expect(certificateProblem(failure('ERR_TLS_CERT_ALTNAME_INVALID', { cert }))).toMatchObject({
      fault: 'other_name',
      names: ['a.example.org', '*.b.example.org', '192.0.2.1'],
    });
  });

  it('says nothing about anything else', () => {
    for (const other of [failure('ECONNREFUSED'), new Error('x'), 'CERT_HAS_EXPIRED', undefined])
      expect(certificateProblem(other)).toBeUndefined();
  });

  it('ends where causes go in a circle', () => {
    const circle = new Error('x');
    circle.cause = circle;
    expect(certificateProblem(circle)).toBeUndefined();
  });
});
