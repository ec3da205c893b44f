import { armorKey, fingerprintOf, generateKey, publicPart } from '#libs/pgp';
import { systemClock } from '#libs/core';
import { describeAccess } from './matrix.js';
import { form, World } from './world.js';

async function prepare() {
  const world = await World.start();
  const [armor, fingerprint] = await newKey();
  const token = await world.token('owner');
  await world.must({ path: '/pks/add', token, ...form({ keytext: armor }) });
  return { world, armor, fingerprint };
}

async function newKey(): Promise<readonly [armor: string, fingerprint: string]> {
  const options = { name: 'Ann', email: 'ann@example.org', passphrase: '', algorithm: 'ed25519' } as const;
  const key = await generateKey({ ...options, clock: systemClock });
  return [armorKey(await publicPart(key)), fingerprintOf(key)];
}

describeAccess('keystore', prepare, {
  'GET /pks/lookup': ({ world: { fingerprint } }) => ({
    path: `/pks/lookup?op=get&search=0x${fingerprint}`,
  }),
  'POST /pks/add': async () => ({ path: '/pks/add', ...form({ keytext: (await newKey())[0] }) }),
});
