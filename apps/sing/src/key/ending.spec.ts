import { copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as openpgp from 'openpgp';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SIF_FIXTURES } from '../../../../test/support/sif-fixtures.js';
import { World } from '../testing/world.js';

const DAY = 86_400;

let world: World;
beforeEach(async () => {
  world = await World.create();
});
afterEach(() => world.close());

interface Pair {
  readonly fingerprint: string;
  readonly secret: openpgp.PrivateKey;
  readonly revocation: string;
  /** The day on which it ends. */
  readonly day: string | undefined;
}

/** A pair that was made a minute ago. @param ends seconds from now; never when absent */
async function pairOf(name: string, ends?: number): Promise<Pair> {
  const now = Date.now();
  const { privateKey, revocationCertificate: revocation } = await openpgp.generateKey({
    userIDs: [{ name, email: `${name.toLowerCase()}@example.org` }],
    type: 'ecc',
    curve: 'ed25519Legacy',
    date: new Date(now - 60_000),
    ...(ends !== undefined && { keyExpirationTime: ends + 60 }),
    config: { v6Keys: false },
    format: 'object',
  });
  // Of the time when it was made: midnight may be between that and the warning.
  const day = ends === undefined ? undefined : new Date(now + ends * 1000).toISOString().slice(0, 10);
  return { fingerprint: privateKey.getFingerprint(), secret: privateKey, revocation, day };
}

const imported = async (armored: string): Promise<void> => {
  await writeFile(world.path('key.asc'), armored);
  await world.ok(['key', 'import', 'key.asc']);
};
const warningOf = ({ fingerprint, day }: Pair): string =>
  `The key ${fingerprint.toUpperCase()} ends on ${day}`;

describe('a key of the own ring that ends soon', () => {
  it('is named by list, with what helps, while the listing stays as it was', async () => {
    const [soon, later, never] = [
      await pairOf('Soon', 10 * DAY),
      await pairOf('Later', 40 * DAY),
      await pairOf('Never'),
    ];
    for (const { secret } of [soon, later, never]) await imported(secret.armor());
    for (const flags of [[], ['--secret']]) {
      const { stderr, stdout } = await world.ok(['key', 'list', ...flags]);
      expect(stderr).toContain(warningOf(soon));
      expect(stderr).toContain(`gpg --quick-set-expire ${soon.fingerprint.toUpperCase()} 1y`);
      expect(stderr.match(/WARNING/g)).toHaveLength(1);
      expect(stdout).not.toContain('quick-set-expire');
    }
    expect((await world.ok(['key', 'list', '--json'])).stderr).toBe('');
  });

  it('is not named by list when it is somebody else’s, or revoked', async () => {
    const [foreign, revoked] = [await pairOf('Foreign', 10 * DAY), await pairOf('Revoked', 10 * DAY)];
    await imported(foreign.secret.toPublic().armor());
    await imported(revoked.secret.armor());
    const { publicKey } = await openpgp.revokeKey({
      key: revoked.secret.toPublic(),
      revocationCertificate: revoked.revocation,
      format: 'armored',
    });
    await imported(publicKey);
    expect((await world.ok(['key', 'list'])).stderr).not.toContain('WARNING');
  });

  it('is named by sign, which signs with it all the same', async () => {
    await copyFile(join(SIF_FIXTURES, 'images/unsigned.sif'), world.path('image.sif'));
    const key = await pairOf('Signer', 5 * DAY);
    await imported(key.secret.armor());
    const { stderr } = await world.ok(['sign', 'image.sif']);
    expect(stderr).toContain(warningOf(key));
    expect(stderr).toContain('Signature created');
  });

  it('is named no more when it came anew with a later end, as the remedy says', async () => {
    const key = await pairOf('Renewed', 5 * DAY);
    await imported(key.secret.armor());
    const { privateKey } = await openpgp.reformatKey({
      privateKey: key.secret,
      userIDs: [{ name: 'Renewed', email: 'renewed@example.org' }],
      date: new Date(Date.now() - 10_000),
      keyExpirationTime: 365 * DAY,
      format: 'armored',
    });
    await world.ok(['key', 'remove', '--secret', '--force', key.fingerprint]);
    await imported(privateKey);
    for (const flags of [[], ['--secret']])
      expect((await world.ok(['key', 'list', ...flags])).stderr).not.toContain('WARNING');
  });
});
