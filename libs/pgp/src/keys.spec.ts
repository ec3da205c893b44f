import { ManualClock } from '#libs/core';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { SIF_FIXTURES } from '../../../test/support/sif-fixtures.js';
import { decodeArmors, encodeArmor } from './armor.js';
import { clearSign } from './clearSign.js';
import { findKey, parseKeyQuery } from './find.js';
import { certificatesIn, publicKeyIds } from './framing.js';
import { changePassphrase, generateKey, isLocked, unlockKey, type KeyOptions } from './generate.js';
import { armorKey, describeKey, fingerprintOf, isSecret, readKeys } from './key.js';
import { publicPart } from './publicPart.js';
import { verifyClearSigned } from './verifyClearSigned.js';

const clock = new ManualClock('2026-11-25T12:00:00Z');
const armored = (letter: string, part = 'pub') =>
  readFileSync(`${SIF_FIXTURES}/keys/test-key-${letter}.${part}.asc`, 'utf8');
const options: KeyOptions = {
  name: 'Ada Lovelace',
  email: 'ada@example.org',
  comment: 'engine',
  passphrase: '',
  algorithm: 'ed25519',
  clock,
};

describe('readKeys', () => {
  it('reads armor, several blocks with text around them, and binary, to the same bytes', async () => {
    const both = await readKeys(`hello\r\n${armored('a')}\nmore text\n${armored('b')}bye`);
    expect(both.map(fingerprintOf)).toEqual([
      '1F4F38EC5FDB2A627E9237FEA4E241FB667D1318',
      '2CED450D6961640CB9FA187B1B5C94522B6529B4',
    ]);
    const binary = await readKeys(Buffer.concat(both.map(({ bytes }) => bytes)));
    expect(binary.map(({ bytes }) => Buffer.from(bytes))).toEqual(
      both.map(({ bytes }) => Buffer.from(bytes)),
    );
  });

  it.each([
    ['nothing', '', 'found none'],
    ['plain text', 'no key here', 'found none'],
    ['a message', encodeArmor('SIGNATURE', Buffer.from('x')), 'got a PGP SIGNATURE'],
    ['an open block', armored('a').slice(0, 300), 'Expected a line "-----END PGP PUBLIC KEY BLOCK-----"'],
    ['a cut-off packet', Buffer.from([0xc6, 0xff, 0xff, 0xff, 0xff, 0xff, 4]), 'a packet ends at'],
    ['packets in pieces', Buffer.from([0xc6, 0xe1, 4]), 'partial length'],
    ['a packet without a length', Buffer.from([0x9b, 4]), 'indeterminate length'],
    ['a user id first', Buffer.from([0xcd, 1, 65]), 'do not begin with a key packet'],
    ['more than 8 MiB', Buffer.alloc(8 * 1024 * 1024 + 1), 'Expected at most 8388608 bytes'],
    ['a key of an unknown version', Buffer.from([0xc6, 6, 99, 0, 0, 0, 0, 1]), 'cannot be read'],
  ])('refuses %s', async (_what, data, message) => {
    await expect(readKeys(data)).rejects.toThrow(message);
  });

  it('refuses a key with too many packets and too many keys, before parsing any', () => {
    const [key] = decodeArmors(armored('b'));
    const packet = Buffer.from([0xcd, 1, 65]);
    const flood = Buffer.concat([key?.bytes ?? Buffer.alloc(0), ...Array(5000).fill(packet)]);
    expect(() => certificatesIn(flood)).toThrow('at most 5000 packets');
    const tiny = Buffer.from([0xc6, 1, 4]);
    expect(() => certificatesIn(Buffer.concat(Array(1001).fill(tiny)))).toThrow('at most 1000 keys');
  });
});

describe('armorKey', () => {
  it('writes the checksum, without which gpg does not see the end of unpadded data', async () => {
    const [key] = await readKeys(armored('a'));
    const text = key && armorKey(key);
    // gpg --armor --export of the same key.
    expect(text).toMatch(/\n=[A-Za-z0-9+/]{4}\n-----END PGP PUBLIC KEY BLOCK-----\n$/);
    expect(encodeArmor('SIGNATURE', Buffer.from('123456789'))).toContain('\n=Ic8C\n');
  });
});

describe('describeKey', () => {
  it('says what listings show', async () => {
    const [key] = await readKeys(armored('d', 'SECRET-test-only'));
    const info = key && (await describeKey(key, clock.now()));
    expect(info).toMatchObject({
      fingerprint: '6BAC0209CA5D32FA0E99C68CBDF569AC4CD4FC21',
      keyId: 'BDF569AC4CD4FC21',
      userIds: ['SIF Test Key D (throwaway test key, cert-only primary) <test-key-d@example.invalid>'],
      algorithm: 'rsa2048',
      expires: null,
      revoked: false,
      secret: true,
      subkeys: [{ keyId: 'D6B5BDB579BCF78E', algorithm: 'rsa2048', revoked: false }],
    });
  });

  it('sees a revocation', async () => {
    const openpgp = await import('openpgp');
    const [key] = await readKeys(armored('b', 'SECRET-test-only'));
    if (key === undefined || !isSecret(key)) throw new Error('no secret key');
    const { publicKey } = await openpgp.revokeKey({ key: key.key, date: clock.now(), format: 'binary' });
    const [revoked] = await readKeys(publicKey);
    expect(revoked && (await describeKey(revoked, clock.now())).revoked).toBe(true);
    const data = await clearSign('x', { key, clock });
    const verifying = verifyClearSigned(data, async () => (revoked ? [revoked] : []), clock.now());
    await expect(verifying).rejects.toThrow('revoked');
  });
});

describe('findKey', () => {
  const ring = async () => readKeys(['a', 'b', 'd'].map((letter) => armored(letter)).join('\n'));

  it.each([
    ['the fingerprint', '6bac 0209 ca5d 32fa 0e99 c68c bdf5 69ac 4cd4 fc21'],
    ['the key id', '0xBDF569AC4CD4FC21'],
    ['the id of a subkey', 'd6b5bdb579bcf78e'],
    ['the fingerprint of a subkey', '07FACB7568EE1CEBE2606076D6B5BDB579BCF78E'],
    ['a short id', '4CD4FC21'],
    ['a part of a user id', 'Test Key D'],
  ])('finds by %s', async (_what, query) => {
    expect(fingerprintOf(findKey(await ring(), query))).toBe('6BAC0209CA5D32FA0E99C68CBDF569AC4CD4FC21');
  });

  it('never chooses between several', async () => {
    const keys = await ring();
    expect(() => findKey(keys, 'SIF Test')).toThrow('Several keys');
    expect(() => findKey(keys, 'DEADBEEFDEADBEEF')).toThrow('There is no key');
  });

  it('takes hex of another length for text', () => {
    expect(parseKeyQuery('abc')).toEqual({ kind: 'text', text: 'abc' });
  });

  it('finds ids in the bytes without parsing keys', async () => {
    for (const { bytes, key } of await ring())
      expect(publicKeyIds(bytes)).toEqual(key.getKeyIDs().map((id) => id.toHex().toUpperCase()));
  });
});

describe('generateKey', () => {
  it.each(['ed25519', 'rsa2048'] as const)('makes %s keys that sign, of version 4', async (algorithm) => {
    const key = await generateKey({ ...options, algorithm });
    const info = await describeKey(key, clock.now());
    expect(info).toMatchObject({
      algorithm,
      userIds: ['Ada Lovelace (engine) <ada@example.org>'],
      created: clock.now(),
      expires: null,
      secret: true,
    });
    expect(info.fingerprint).toHaveLength(40);
    const data = await clearSign('text', { key, clock });
    const open = await publicPart(key);
    const { signer } = await verifyClearSigned(data, async () => [open], clock.now());
    expect(signer.fingerprint).toBe(info.fingerprint);
  });

  it('locks the key with a passphrase', async () => {
    const key = await generateKey({ ...options, passphrase: 'secret words' });
    expect(isLocked(key)).toBe(true);
    await expect(clearSign('x', { key, clock })).rejects.toThrow('not unlocked');
    await expect(unlockKey(key, 'wrong')).rejects.toMatchObject({ reason: 'pgp_wrong_passphrase' });
    const open = await unlockKey(key, 'secret words');
    expect(isLocked(open)).toBe(false);
    expect((await readKeys(open.bytes)).map(isLocked)).toEqual([true]);
  });

  it('changes and takes away the passphrase', async () => {
    const key = await generateKey(options);
    const locked = await changePassphrase(key, '', 'new');
    expect(isLocked(locked)).toBe(true);
    const open = await changePassphrase(locked, 'new', '');
    expect(isLocked(open)).toBe(false);
    expect(fingerprintOf(open)).toBe(fingerprintOf(key));
  });

  it.each<[string, Partial<KeyOptions>]>([
    ['an empty name', { name: ' ' }],
    ['a name with brackets', { name: 'Ada <root@example.org>' }],
    ['a name with a newline', { name: 'Ada\nmore' }],
    ['no address', { email: 'ada' }],
    ['a comment with brackets', { comment: 'x) <y@z>' }],
    ['too much text', { comment: 'x'.repeat(1024) }],
  ])('refuses %s', async (_what, change) => {
    await expect(generateKey({ ...options, ...change })).rejects.toMatchObject({ reason: 'pgp_bad_user_id' });
  });
});

describe('publicPart', () => {
  it.each(['a', 'b', 'd'])(
    'of key %s is its public certificate with the same user ids and signatures',
    async (letter) => {
      const [secret] = await readKeys(armored(letter, 'SECRET-test-only'));
      const [expected] = await readKeys(armored(letter));
      if (secret === undefined || expected === undefined) throw new Error('no keys');
      const open = await publicPart(secret);
      expect(isSecret(open)).toBe(false);
      expect(armorKey(open)).toContain('PUBLIC KEY BLOCK');
      expect(Buffer.from(open.key.write())).toEqual(Buffer.from(expected.key.write()));
    },
  );
});
