import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { summarise, writeArmor } from '#libs/pgp';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Kind, makeKey, Owner } from '../../libs/pgp/src/testing/maker.js';
import { oddCertificate } from '../../libs/pgp/src/testing/odd.js';
import { Store } from '../../libs/pgp/src/testing/store.js';
import { makeWorld, packetsOf } from '../../libs/pgp/src/testing/world.js';
import type { Packet } from '#libs/pgp';
import { goCrypto } from '../support/go-tools.js';
import { lacking, skipped } from '../support/needs.js';
import { temporaryFolder } from '../support/temporary.js';

/* The OpenPGP library of `singularity` and `apptainer` refuses a whole key for one thing that it does not like (keystore contract §2.5). */

const run = promisify(execFile);
const noGo = lacking('go', 'flock');

describe.skipIf(noGo)(`what is served of a key${skipped(noGo)}`, () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let program: string;
  beforeAll(async () => {
    folder = await temporaryFolder();
    program = await goCrypto();
  }, 600_000);
  afterAll(() => folder.remove());

  let files = 0;
  /** The file with what is served of a certificate; undefined where stock clients are known to read nothing. */
  async function served(packets: readonly Packet[]): Promise<string | undefined> {
    const [primary] = packets;
    if (primary === undefined) return undefined;
    const store = new Store(primary);
    await store.add(packets);
    const certificate = await store.certificate();
    if (certificate === undefined) return undefined;
    const { version, userIds } = summarise(certificate);
    // Of version 4 they read none without a user id; it is served when it is revoked, and nobody is to use it then.
    if (version === 4 && userIds.length === 0) return undefined;
    const file = join(folder.path, `${files}.asc`);
    files += 1;
    await writeFile(file, writeArmor(store.served));
    return file;
  }

  async function refused(certificates: readonly (readonly Packet[])[]): Promise<[string[], number]> {
    const names = (await Promise.all(certificates.map(served))).filter((file) => file !== undefined);
    const { stdout } = await run(program, names);
    return [stdout.split('\n').filter((line) => line !== ''), names.length];
  }

  it('is read by it, of every algorithm and with everything that a key can have', async () => {
    const kinds: Kind[] = [
      'rsa2048',
      'dsa2048',
      'nistP256',
      'nistP521',
      'secp256k1',
      'brainpoolP384r1',
      'ed25519',
      'ed448',
    ];
    const worlds = [makeWorld('ed25519Legacy'), makeWorld('nistP256'), makeWorld('ed25519', 6)];
    const plain = kinds.map((kind) => {
      const owner = new Owner(kind);
      return [
        owner.primary,
        ...owner.userId('Ann'),
        ...owner.signingSubkey(makeKey(kind)),
        ...owner.encryptionSubkey(),
      ];
    });
    const all = [...plain, ...worlds.map((world) => packetsOf(world, world.pairs))];
    expect(await refused(all)).toEqual([[], all.length]);
  });

  it('is read by it, whatever the owner has made', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(oddCertificate, { minLength: 50, maxLength: 50 }), async (certificates) => {
        const [lines] = await refused(certificates);
        expect(lines).toEqual([]);
      }),
      { numRuns: 10 },
    );
  });
});
