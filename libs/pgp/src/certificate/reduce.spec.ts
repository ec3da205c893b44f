import { createHash } from 'node:crypto';
import { ManualClock } from '#libs/core';
import * as openpgp from 'openpgp';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Packet, readPackets } from '../packets/reader.js';
import { Owner } from '../testing/maker.js';
import {
  type Certificate,
  cleanCertificate,
  onlyRevoked,
  type RawCertificate,
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

  it('leaves with it what says that others may revoke it, and what version 6 needs', async () => {
    const [owner, revoker] = [new Owner(), new Owner()];
    const named = owner.sign(0x1f, {
      hashed: [[12, Buffer.from(`8016${revoker.key.facts.fingerprint}`, 'hex')]],
    });
    const plain = owner.sign(0x1f, { created: CREATED.getTime() / 1000 + 1 });
    const rest = async (packets: Packet[], known?: Certificate) => {
      const [raw] = splitCertificates(packets) as [RawCertificate];
      const findRevoker = async () => known;
      const left = onlyRevoked(await cleanCertificate(raw, clock, { findRevoker }));
      return left && readPackets(writeCertificate(left)).map(({ tag, body }) => (tag === 2 ? body[1] : tag));
    };
    const own = [owner.primary, owner.sign(0x20), named, plain, ...owner.userId('Ann')];
    expect(await rest(own)).toEqual([6, 0x20]);
    const [found] = splitCertificates([revoker.primary, ...revoker.userId('R')]) as [RawCertificate];
    const theirs = [
      owner.primary,
      revoker.sign(0x20, { primary: owner.key.body }),
      named,
      plain,
      ...owner.userId('Ann'),
    ];
    expect(await rest(theirs, await cleanCertificate(found, clock))).toEqual([6, 0x20, 0x1f]);
    const six = new Owner('ed25519', { version: 6 });
    expect(await rest([six.primary, six.sign(0x20), six.sign(0x1f), ...six.userId('Six')])).toEqual([
      6, 0x20, 0x1f,
    ]);
  });
});
