import { randomBytes } from 'node:crypto';

/** 24 lower-case hexadecimal characters: the form that stock clients know for the ids of records (builder contract §2.3). */
export function newObjectId(random: (size: number) => Uint8Array = randomBytes): string {
  return Buffer.from(random(12)).toString('hex');
}

export function isObjectId(text: string): boolean {
  return /^[0-9a-f]{24}$/.test(text);
}

/** A URL-safe secret of `bytes` random bytes (32 by default). */
export function newSecret(bytes = 32): string {
  return randomBytes(bytes).toString('base64url');
}
