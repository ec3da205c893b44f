import { describe, expect, it } from 'vitest';
import { parseRegistryReference, referenceText } from './reference.js';

const HASH = `sha256:${'a'.repeat(64)}`;

describe('a reference into a registry', () => {
  it.each([
    ['oras://ghcr.io/ann/hello', 'ghcr.io', 'ann/hello', { tag: 'latest' }],
    ['oras://localhost:5000/a:V1.0_x-y', 'localhost:5000', 'a', { tag: 'V1.0_x-y' }],
    ['oras://[::1]:5000/a/b--c/d__e:1', '[::1]:5000', 'a/b--c/d__e', { tag: '1' }],
    [`oras://h/a@${HASH}`, 'h', 'a', { digest: HASH }],
    [`oras://h/a:1@${HASH}`, 'h', 'a', { digest: HASH }],
  ])('%s', (text, host, name, by) => {
    expect(parseRegistryReference(text)).toEqual({ host, name, by });
  });

  it.each([
    'oras://host',
    'oras:///name:1',
    'oras://host/Upper',
    'oras://host/a//b',
    'oras://host/../x',
    'oras://host/a:',
    'oras://host/a:1:2',
    'oras://host/a:-1',
    `oras://host/a:${'x'.repeat(129)}`,
    `oras://host/${'a'.repeat(256)}`,
    'oras://user@host/a',
    'oras://ho st/a',
    'oras://host:port/a',
    'oras://host/a@sha256:123',
    `oras://host/a@sha512:${'a'.repeat(128)}`,
    `oras://host/a@${HASH}@${HASH}`,
    'oras://host/a?x=1',
    'oras://host/a%2fb',
  ])('is not %s', (text) => {
    expect(() => parseRegistryReference(text)).toThrow(
      expect.objectContaining({ reason: 'invalid_reference' }),
    );
  });

  it('is shown without its scheme', () => {
    expect(referenceText(parseRegistryReference('oras://h:1/a'))).toBe('h:1/a:latest');
    expect(referenceText(parseRegistryReference(`oras://h/a:1@${HASH}`))).toBe(`h/a@${HASH}`);
  });
});
