import { createHash } from 'node:crypto';
import { ManualClock } from '#libs/core';
import * as openpgp from 'openpgp';
import { beforeAll, describe, expect, it } from 'vitest';
import { readPackets } from '../packets/reader.js';
import {
  type Certificate,
  cleanCertificate,
  onlyRevoked,
  readArmor,
  splitCertificates,
  summarise,
  withoutUserIds,
  writeCertificate,
} from './index.js';

const CREATED = new Date('2026-01-01T00:00:00Z');
const clock = new ManualClock('2026-06-01T00:00:00Z');

async function clean(armored: string): Promise<Certificate> {
  const [raw] = splitCertificates(readArmor(armored).flatMap((block) => readPackets(block)));
  if (raw === undefined) throw new Error('no certificate');
  return cleanCertificate(raw, clock);
}

let whole: Certificate;
let revoked: Certificate;
beforeAll(async () => {
  const made = await openpgp.generateKey({
    userIDs: [{ name: 'Ann', email: 'ann@example.org' }, { email: 'private@example.org' }],
    type: 'ecc',
    curve: 'ed25519Legacy',
    date: CREATED,
    config: { v6Keys: false },
  });
  whole = await clean(made.publicKey);
  const { publicKey } = await openpgp.revokeKey({
    key: await openpgp.readKey({ armoredKey: made.publicKey }),
    revocationCertificate: made.revocationCertificate,
  });
  revoked = await clean(publicKey);
});

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

describe('a certificate whose owner hides a user id', () => {
  it('loses that one and nothing else', () => {
    const less = withoutUserIds(whole, new Set([sha256('<private@example.org>')]));
    expect(summarise(less)).toEqual({
      ...summarise(whole),
      userIds: summarise(whole).userIds.filter(({ text }) => text === 'Ann <ann@example.org>'),
    });
    expect(summarise(less).userIds).toHaveLength(1);
  });

  it('stays as it is where the hidden one is not part of it', () => {
    const hashes = new Set([sha256('somebody else')]);
    expect(writeCertificate(withoutUserIds(whole, hashes))).toEqual(writeCertificate(whole));
    expect(withoutUserIds(whole, new Set())).toBe(whole);
  });
});

describe('a certificate that is taken away', () => {
  it('leaves nothing, unless it was revoked', () => {
    expect(onlyRevoked(whole)).toBeUndefined();
  });

  it('leaves its primary key and its revocation', async () => {
    const rest = onlyRevoked(revoked);
    if (rest === undefined) throw new Error('nothing is left');
    expect(summarise(rest)).toMatchObject({ revoked: true, userIds: [], subkeys: [] });
    const bytes = writeCertificate(rest);
    expect(readPackets(bytes).map(({ tag, body }) => [tag, body[1]])).toEqual([
      [6, expect.any(Number)],
      [2, 0x20],
    ]);
    const key = await openpgp.readKey({ binaryKey: bytes });
    expect(await key.isRevoked(undefined, undefined, clock.now())).toBe(true);
  });
});
