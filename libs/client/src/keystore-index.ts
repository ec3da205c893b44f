import { DomainError, expected } from '#libs/core';

/** One certificate of a machine-readable index. */
export interface IndexedKey {
  /** Upper-case hexadecimal; 40 digits, 64 for version 6, shorter where a server prints ids. */
  readonly fingerprint: string;
  /** OpenPGP number of the algorithm, or undefined when the server does not say. */
  readonly algorithm: number | undefined;
  readonly bits: number | undefined;
  readonly created: Date | undefined;
  readonly expires: Date | undefined;
  readonly state: 'valid' | 'revoked' | 'disabled' | 'expired';
  readonly userIds: readonly string[];
}

/**
 * Reads `op=index&options=mr` (keystore contract §1.7): `info:1:N`, `pub:` and `uid:` lines; unknown record types are
 * skipped, as gpg and the stock clients do.
 * @throws DomainError `unavailable` for a text that is no index, or that is cut short
 */
export function parseIndex(text: string): readonly IndexedKey[] {
  const keys: (IndexedKey & { userIds: string[] })[] = [];
  let announced: number | undefined;
  for (const line of text.split(/\r?\n/)) {
    const fields = line.split(':');
    if (fields[0] === 'info') {
      if (fields[1] !== '1') throw bad(`an index of version 1, got version ${fields[1] ?? ''}`);
      announced = toNumber(fields[2]);
    } else if (fields[0] === 'pub') {
      keys.push(parseKey(fields));
    } else if (fields[0] === 'uid') {
      keys.at(-1)?.userIds.push(decode(fields[1] ?? ''));
    }
  }
  if (announced !== undefined && announced !== keys.length) {
    throw bad(`${announced} keys in the index, got ${keys.length}`);
  }
  return keys;
}

function parseKey(fields: readonly string[]): IndexedKey & { userIds: string[] } {
  const [, fingerprint = '', algorithm, bits, created, expires, flags = ''] = fields;
  if (!/^[0-9a-fA-F]{8,64}$/.test(fingerprint)) throw bad(expected('a fingerprint', 'a key', fingerprint));
  return {
    fingerprint: fingerprint.toUpperCase(),
    algorithm: toNumber(algorithm),
    bits: toNumber(bits),
    created: toTime(created),
    expires: toTime(expires),
    state: toState(flags),
    userIds: [],
  };
}

/** "Emit one flag letter per line, priority r > d > e" (keystore contract §0); several are understood, too. */
function toState(flags: string): IndexedKey['state'] {
  if (flags.includes('r')) return 'revoked';
  if (flags.includes('d')) return 'disabled';
  return flags.includes('e') ? 'expired' : 'valid';
}

function toNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^[0-9]{1,12}$/.test(text) ? Number(text) : undefined;
}

function toTime(text: string | undefined): Date | undefined {
  const seconds = toNumber(text);
  return seconds === undefined || seconds === 0 ? undefined : new Date(seconds * 1000);
}

/** "Clients decode with form rules (`+` = space)" (keystore contract §0). */
function decode(text: string): string {
  const spaced = text.replaceAll('+', ' ');
  try {
    return decodeURIComponent(spaced);
  } catch {
    // Not UTF-8 behind the percent signs: show what is there rather than nothing.
    return spaced;
  }
}

function bad(message: string): DomainError {
  return new DomainError('unavailable', `The key server's answer is not valid: ${message}`, {
    reason: 'bad_answer',
  });
}
