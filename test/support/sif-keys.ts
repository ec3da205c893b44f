import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { matchesKey, readKeys, type PgpKey } from '#libs/pgp';
import { certificateKey, readPublicKey, type KeySource, type VerifyOptions } from '#libs/signing';
import { ManualClock } from '#libs/core';
import { SIF_FIXTURES } from './sif-fixtures.js';

/** The keys of the fixtures were made on the day before. */
export const FIXTURE_CLOCK = new ManualClock('2026-11-25T12:00:00Z');

const keys = new Map<string, Promise<PgpKey>>();

/** A test key by its letter; `secret` are the ones that sign, without passphrase. Each is read once. */
export function sifKey(letter: string, part: 'public' | 'secret' = 'public'): Promise<PgpKey> {
  const file = `test-key-${letter}.${part === 'public' ? 'pub' : 'SECRET-test-only'}.asc`;
  const key = keys.get(file) ?? readOne(join(SIF_FIXTURES, 'keys', file));
  keys.set(file, key);
  return key;
}

async function readOne(file: string): Promise<PgpKey> {
  const [key] = await readKeys(readFileSync(file));
  if (key === undefined) throw new Error(`no key in ${file}`);
  return key;
}

/** A local key ring that holds some test keys; the fixtures' answers were made with A, B and D. */
export function sifRing(letters: readonly string[] = ['a', 'b', 'd']): KeySource {
  return {
    origin: 'local',
    find: async (hex) => {
      const ring = await Promise.all(letters.map((letter) => sifKey(letter)));
      return ring.filter((key) => matchesKey(key, { kind: 'keyId', hex }));
    },
  };
}

/** PEM text of a file in the fixtures' `keys` folder. */
export function sifPem(name: string): string {
  return readFileSync(join(SIF_FIXTURES, name), 'utf8');
}

/**
 * Arguments of the stock `verify` command as options of ours.
 * @throws DomainError for a certificate that is not trusted
 */
export async function verifyOptions(args: readonly string[]): Promise<VerifyOptions> {
  const value = (name: string) => args[args.indexOf(name) + 1] ?? '';
  const pem = (name: string) => (args.includes(name) ? sifPem(value(name)) : undefined);
  const keys = async () => {
    if (args.includes('--key')) return { dsse: [readPublicKey(sifPem(value('--key')))] };
    const certificate = pem('--certificate');
    if (certificate === undefined) return { pgp: [sifRing()] };
    const [intermediates, roots] = [pem('--certificate-intermediates'), pem('--certificate-roots')];
    const { key } = await certificateKey({
      certificate,
      roots: roots === undefined ? [] : [roots],
      clock: FIXTURE_CLOCK,
      ...(intermediates === undefined ? {} : { intermediates }),
    });
    return { dsse: [key] };
  };
  return {
    clock: FIXTURE_CLOCK,
    ...(await keys()),
    ...(args.includes('--group-id') ? { groups: [Number(value('--group-id'))] } : {}),
    ...(args.includes('--sif-id') ? { objects: [Number(value('--sif-id'))] } : {}),
    all: args.includes('--all'),
    legacy: args.includes('--legacy-insecure'),
  };
}
