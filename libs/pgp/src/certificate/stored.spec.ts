import { expect, it } from 'vitest';
import { readPackets } from '../packets/reader.js';
import { makeKey, Owner } from '../testing/maker.js';
import { Store } from '../testing/store.js';
import { readCleanCertificate, splitCertificates, summarise, writeCertificate } from './index.js';

const owner = new Owner();
const whole = [owner.primary, ...owner.userId('Ann'), ...owner.signingSubkey(makeKey('ed25519Legacy'))];

it('what was stored is read as it was written', async () => {
  const store = new Store(owner.primary);
  await store.add(whole);
  const [raw] = splitCertificates(readPackets(store.served));
  if (raw === undefined) throw new Error('nothing was stored');
  expect(writeCertificate(await readCleanCertificate(raw))).toEqual(store.served);
});

it('what was stored by laxer rules is read without what is not taken any more', async () => {
  const odd = owner.userId('Odd', { hashed: [[99, Buffer.of(1), true]] });
  const [raw] = splitCertificates([...whole, ...odd]);
  if (raw === undefined) throw new Error('no certificate');
  const { userIds, subkeys } = summarise(await readCleanCertificate(raw));
  expect([userIds.map(({ text }) => text), subkeys.length]).toEqual([['Ann'], 1]);
});

it('a binding that signs is nothing without the word of its subkey', async () => {
  const bare = owner.boundSubkey(makeKey('ed25519Legacy').body, { hashed: [[27, Buffer.of(2)]] });
  const [raw] = splitCertificates([owner.primary, ...owner.userId('Ann'), ...bare]);
  if (raw === undefined) throw new Error('no certificate');
  expect((await readCleanCertificate(raw)).subkeys).toEqual([]);
});
