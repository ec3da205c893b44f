import type { Surroundings } from '#libs/cli';
import type { KeysClient } from '#libs/client';
import { DomainError, expected } from '#libs/core';
import { withInstance } from '../instance.js';

/** Runs work with the keystore of the instance, as its administrator. */
export function withKeys<T>(place: Surroundings, work: (keys: KeysClient) => Promise<T>): Promise<T> {
  return withInstance(place, async ({ services, url, at }) => {
    const { KeysClient } = await import('#libs/client');
    return work(new KeysClient(at(services.get('keystore') ?? url), { signal: place.signal }));
  });
}

/** A whole fingerprint, however it is written. @throws DomainError `bad_request` */
export function fingerprintOf(text: string): string {
  const hex = text.replaceAll(/[\s:]/g, '').replace(/^0x/i, '');
  if (/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/i.test(hex)) return hex.toUpperCase();
  throw new DomainError('bad_request', expected('40 or 64 hexadecimal digits', 'a fingerprint', text));
}
