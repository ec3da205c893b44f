import { DomainError, expected } from '#libs/core';

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  K: 1024,
  M: 1024 ** 2,
  G: 1024 ** 3,
  T: 1024 ** 4,
};

/**
 * Bytes: a number that may have K, M, G or T (binary) behind it, as the settings of the services have it.
 * @throws DomainError `bad_request`
 */
export function parseSize(text: string, name: string): number {
  const [, digits, unit = ''] = /^(\d{1,15})([KMGT]?)$/.exec(text.toUpperCase()) ?? [];
  const size = Number(digits) * (UNITS[unit] ?? 1);
  if (Number.isSafeInteger(size)) return size;
  throw new DomainError('bad_request', expected('bytes, or a size such as 10G,', name, text), {
    reason: 'invalid_size',
  });
}
