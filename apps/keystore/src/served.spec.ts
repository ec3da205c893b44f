import { expect, it } from 'vitest';
import { isServed } from './served.js';

const [four, six] = ['ab'.repeat(20), 'ab'.repeat(32)];
const userIds = [{ text: 'Ann', created: 0, revoked: false }];

it.each([
  [{ fingerprint: four, userIds, revoked: false }, true],
  [{ fingerprint: four, userIds: [], revoked: true }, true],
  [{ fingerprint: four, userIds: [], revoked: false }, false],
  [{ fingerprint: six, userIds: [], revoked: false }, true],
])('a certificate %j is served: %s', (certificate, served) => {
  expect(isServed(certificate)).toBe(served);
});
