import { ManualClock } from '#libs/core';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { cpuTime } from '../../../test/support/cpu-time.js';
import { SIF_FIXTURES } from '../../../test/support/sif-fixtures.js';
import { clearSign } from './clearSign.js';
import { looksClearSigned, splitClearSigned } from './clearText.js';
import { fingerprintOf, readKeys, type PgpKey } from './key.js';
import { verifyClearSigned } from './verifyClearSigned.js';
import { matchesKey } from './find.js';

const clock = new ManualClock('2026-11-25T12:00:00Z');
const text = '{"version":1}';

async function keyOf(letter: string, part: 'pub' | 'SECRET-test-only' = 'pub'): Promise<PgpKey> {
  const [key] = await readKeys(readFileSync(`${SIF_FIXTURES}/keys/test-key-${letter}.${part}.asc`));
  if (key === undefined) throw new Error('no key');
  return key;
}

const secret = (letter: string) => keyOf(letter, 'SECRET-test-only');

async function verify(data: Uint8Array, letters: string, now = clock.now()) {
  const keys = await Promise.all(letters.split('').map((letter) => keyOf(letter)));
  const find = async (hex: string) => keys.filter((key) => matchesKey(key, { kind: 'keyId', hex }));
  return verifyClearSigned(data, find, now);
}

describe('a clear-signed message', () => {
  it.each(['a', 'b', 'c', 'd'])('of key %s verifies, and says who signed', async (letter) => {
    const data = await clearSign(text, { key: await secret(letter), clock });
    const { text: signed, signer } = await verify(data, 'abcd');
    expect(data.toString()).toContain('\nHash: SHA256\n');
    expect(signed.toString()).toBe(text);
    expect(signer.fingerprint).toBe(fingerprintOf(await keyOf(letter)));
    expect(signer.userId).toContain(`test-key-${letter}@example.invalid`);
  });

  it('is signed by the primary key, or by a subkey when that may only certify', async () => {
    const ids = await Promise.all(
      ['a', 'd'].map(async (letter) => {
        const data = await clearSign(text, { key: await secret(letter), clock });
        return (await verify(data, 'ad')).signer.keyId;
      }),
    );
    expect(ids).toEqual(['A4E241FB667D1318', 'D6B5BDB579BCF78E']);
  });

  it('without salt is the same every time, with salt never', async () => {
    const key = await secret('a');
    const make = async (salt: boolean) => (await clearSign(text, { key, clock, salt })).toString();
    expect(await make(false)).toBe(await make(false));
    expect(await make(true)).not.toBe(await make(true));
  });

  it('of a key without user ids proves that somebody has the key, and counts for nothing else', async () => {
    const data = await clearSign(text, { key: await secret('a'), clock });
    const nameless = await keyOf('a');
    nameless.key.users.splice(0);
    const find = async () => [nameless];
    await expect(verifyClearSigned(data, find, clock.now())).rejects.toMatchObject({
      reason: 'pgp_bad_signature',
    });
    const proven = await verifyClearSigned(data, find, clock.now(), { nameless: true });
    expect(proven.signer.fingerprint).toBe(fingerprintOf(nameless));
    const other = await clearSign(text, { key: await secret('b'), clock });
    await expect(verifyClearSigned(other, find, clock.now(), { nameless: true })).rejects.toMatchObject({
      reason: 'pgp_bad_signature',
    });
  });

  it('keeps lines that begin with dashes', async () => {
    const data = await clearSign('- a\n-----BEGIN x\n\nlast', { key: await secret('b'), clock });
    expect((await verify(data, 'b')).text.toString()).toBe('- a\n-----BEGIN x\n\nlast');
  });

  it('is read with CR LF, a checksum line and empty lines around it', async () => {
    const data = await clearSign(text, { key: await secret('b'), clock });
    const message = `\n${data.toString()}\n\n`.replace('-----END PGP SIG', '=abcd\n-----END PGP SIG');
    const crlf = Buffer.from(message.replaceAll('\n', '\r\n'));
    expect((await verify(crlf, 'b')).text.toString()).toBe(text);
  });

  it('does not verify with one byte of the text or of the signature changed', async () => {
    const data = await clearSign(text, { key: await secret('b'), clock });
    const message = data.toString();
    const changedText = message.replace('"version":1', '"version":2');
    const at = message.indexOf('-----BEGIN PGP SIGNATURE') + 140;
    const changedSignature = message.slice(0, at) + (message[at] === 'A' ? 'B' : 'A') + message.slice(at + 1);
    for (const changed of [changedText, changedSignature])
      await expect(verify(Buffer.from(changed), 'b')).rejects.toThrow('openpgp: invalid signature');
  });

  it('of a key that nobody knows is refused with the id to get', async () => {
    const data = await clearSign(text, { key: await secret('c'), clock });
    await expect(verify(data, 'ab')).rejects.toMatchObject({
      reason: 'pgp_unknown_signer',
      message: expect.stringContaining('DBAE78175F8D4B54'),
    });
  });

  it('is refused when it was signed in the future', async () => {
    const data = await clearSign(text, { key: await secret('b'), clock });
    const before = new Date('2026-11-25T11:59:59Z');
    await expect(verify(data, 'b', before)).rejects.toThrow('Signature creation time is in the future');
  });
});

describe('junk around and inside a clear-signed message', () => {
  const junk: [string, (message: string) => string][] = [
    ['text before it', (message) => `signed by the boss:\n${message}`],
    ['text after it', (message) => `${message}\nand pay 100 more\n`],
    ['a second message after it', (message) => `${message}\n${message}`],
    ['an unknown header', (message) => message.replace('Hash: SHA256', 'Hash: SHA256\nComment: x')],
    ['text in the header', (message) => message.replace('Hash: SHA256', 'pay 100')],
    ['no empty line', (message) => message.replace('Hash: SHA256\n', 'Hash: SHA256')],
    ['an unescaped dash', (message) => message.replace('\n\n{', '\n\n-x\n{')],
    ['no signature', (message) => message.slice(0, message.indexOf('-----BEGIN PGP SIGNATURE'))],
    ['an open signature block', (message) => message.replace('-----END PGP SIGNATURE-----', '')],
    [
      'a key instead of the signature',
      (message) => message.replaceAll('PGP SIGNATURE', 'PGP PUBLIC KEY BLOCK'),
    ],
  ];

  it.each(junk)('refuses %s', async (_what, change) => {
    const data = await clearSign(text, { key: await secret('b'), clock });
    const changed = Buffer.from(change(data.toString()));
    await expect(verify(changed, 'b')).rejects.toMatchObject({ reason: 'pgp_not_clear_signed' });
  });

  it('refuses what is no base64', async () => {
    const data = await clearSign(text, { key: await secret('b'), clock });
    const changed = data.toString().replace(/SIGNATURE-----\n\n./, '$&*');
    await expect(verify(Buffer.from(changed), 'b')).rejects.toThrow('Expected base64');
  });

  it('refuses more than 1 MiB', () => {
    expect(() => splitClearSigned(Buffer.alloc(1024 * 1024 + 1, 'a'))).toThrow('at most 1048576 bytes');
  });

  it('is bounded in time: a megabyte of blanks takes no second', () => {
    const lines = Buffer.alloc(1024 * 1024 - 2000, ' ');
    const message = Buffer.concat([Buffer.from('-----BEGIN PGP SIGNED MESSAGE-----\n\n'), lines]);
    const time = cpuTime(() => expect(() => splitClearSigned(message)).toThrow('no signature block'));
    expect(time).toBeLessThan(1000);
  });

  it('knows a message by its first line only', () => {
    expect(looksClearSigned(Buffer.from('x\n-----BEGIN PGP SIGNED MESSAGE-----\n'))).toBe(true);
    expect(looksClearSigned(Buffer.from('x -----BEGIN PGP SIGNED MESSAGE-----\n'))).toBe(false);
  });
});
