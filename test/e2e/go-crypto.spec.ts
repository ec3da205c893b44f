import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  cleanCertificate,
  joinArmor,
  type Packet,
  splitCertificates,
  summarise,
  writeArmor,
  writeCertificate,
} from '#libs/pgp';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  CREATED,
  CURVE_NAMES,
  type Kind,
  makeEncryptionKey,
  makeKey,
  type MadeSubpacket,
  mpi,
  Owner,
  uint,
} from '../../libs/pgp/src/testing/maker.js';
import { oddCertificate } from '../../libs/pgp/src/testing/odd.js';
import { clock, Store } from '../../libs/pgp/src/testing/store.js';
import { makeWorld, packetsOf } from '../../libs/pgp/src/testing/world.js';
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
    return [await complaints(1, names), names.length];
  }

  /** What the library says about files with so many keys each. */
  async function complaints(count: number, names: readonly string[]): Promise<string[]> {
    const { stdout } = await run(program, [String(count), ...names]);
    return stdout.split('\n').filter((line) => line !== '');
  }

  it('is read by it, of every algorithm and with everything that a key can have', async () => {
    const kinds: Kind[] = [
      'rsa1024',
      'rsa2048',
      'dsa1024',
      'dsa2048',
      'ed25519Legacy',
      'ed25519',
      'ed448',
      ...CURVE_NAMES,
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

  const bare = (algorithm: number, ...rest: Buffer[]): Buffer =>
    Buffer.concat([Buffer.of(4), uint(CREATED, 4), Buffer.of(algorithm), ...rest]);
  const elgamal = bare(
    16,
    ...[Buffer.alloc(256, 0xff), Buffer.of(5), Buffer.alloc(255, 0x7f)].map((number) => mpi(number)),
  );
  const later = (days: number): { created: number } => ({ created: CREATED + days * 86_400 });
  const encrypting: MadeSubpacket = [27, Buffer.of(0x0c)];

  it.each<[string, (owner: Owner) => Packet[]]>([
    ['subkeys of Elgamal', (owner) => owner.boundSubkey(elgamal, { hashed: [encrypting] })],
    [
      'subkeys of ECDH on every curve',
      (owner) =>
        CURVE_NAMES.flatMap((name) => {
          const body = Buffer.from(makeKey(name).body);
          body[5] = 18;
          return owner.boundSubkey(Buffer.concat([body, Buffer.of(3, 1, 8, 9)]), { hashed: [encrypting] });
        }),
    ],
    ['a revocation', (owner) => [owner.sign(0x20)]],
    [
      'five revocations, soft and hard',
      (owner) => [0, 1, 2, 3, 77].map((code) => owner.sign(0x20, { hashed: [[29, Buffer.of(code)]] })),
    ],
    [
      'a revoked user id',
      (owner) => [...owner.userId('Old'), owner.sign(0x30, { ...later(1), userId: Buffer.from('Old') })],
    ],
    [
      'a user id that was revoked and certified again',
      (owner) => [
        ...owner.userId('Old'),
        owner.sign(0x30, { ...later(1), userId: Buffer.from('Old') }),
        owner.sign(0x13, { ...later(2), userId: Buffer.from('Old') }),
      ],
    ],
    ['a user id of which only a revocation has come', (owner) => [...owner.userId('Never', { type: 0x30 })]],
    [
      'a revoked subkey, and one of which only a revocation has come',
      (owner) => {
        const [one, other] = [makeEncryptionKey(), makeEncryptionKey()];
        return [
          ...owner.boundSubkey(one, { hashed: [encrypting] }),
          owner.sign(0x28, { ...later(1), subkey: one }),
          { tag: 14, body: other },
          owner.sign(0x28, { ...later(1), subkey: other }),
        ];
      },
    ],
    [
      'what has expired',
      (owner) => [
        ...owner.userId('Over', { hashed: [[9, uint(1000, 4)]] }),
        ...owner.userId('Short', { hashed: [[3, uint(10, 4)]] }),
      ],
    ],
    [
      'every octet in a user id',
      (owner) => [...owner.userId(Buffer.from(Array.from({ length: 255 }, (_, at) => at + 1)))],
    ],
    [
      'the longest user id, and an empty one',
      (owner) => [...owner.userId('x'.repeat(1024)), ...owner.userId('')],
    ],
    [
      'as many user ids as are kept',
      (owner) => Array.from({ length: 60 }, (_, at) => owner.userId(`Ann ${at}`)).flat(),
    ],
    [
      'as many subkeys as are kept',
      (owner) => Array.from({ length: 55 }, () => owner.encryptionSubkey()).flat(),
    ],
    [
      'as many signatures as are kept',
      (owner) => Array.from({ length: 9 }, (_, at) => owner.userId('Often', later(at))).flat(),
    ],
    [
      'a large hashed area',
      (owner) => [
        ...owner.userId('Large', {
          hashed: [
            [
              20,
              Buffer.concat([
                Buffer.alloc(4),
                uint(3, 2),
                uint(29_000, 2),
                Buffer.from('a@b'),
                Buffer.alloc(29_000, 0x61),
              ]),
            ],
          ],
        }),
      ],
    ],
    [
      'what others have added',
      (owner) => [
        new Owner().sign(0x10, { primary: owner.key.body, userId: Buffer.from('Ann') }),
        { tag: 17, body: Buffer.alloc(50, 1) },
        { tag: 12, body: Buffer.of(1, 1) },
      ],
    ],
    [
      'signatures that its key has not made',
      (owner) => [
        ...new Owner().userId('Ann'),
        new Owner().sign(0x20),
        new Owner().sign(0x20, { primary: owner.key.body, anonymous: true }),
      ],
    ],
    [
      'a designated revoker',
      (owner) => [
        owner.sign(0x1f, { hashed: [[12, Buffer.from(`8016${new Owner().key.facts.fingerprint}`, 'hex')]] }),
      ],
    ],
    ['signatures with SHA-1', (owner) => [...owner.userId('Old', { hash: 2 })]],
  ])('is read by it with %s', async (_, more) => {
    const owners = [new Owner(), new Owner('rsa2048'), new Owner('ed25519')];
    const all = owners.map((owner) => [owner.primary, ...owner.userId('Ann'), ...more(owner)]);
    expect(await refused(all)).toEqual([[], all.length]);
  });

  it('is read by it of version 6, with user ids and without', async () => {
    const owner = new Owner('ed25519', { version: 6 });
    const direct = owner.sign(0x1f);
    const all = [
      [owner.primary, direct],
      [owner.primary, direct, owner.sign(0x20)],
      [owner.primary, direct, ...owner.userId('Six')],
      [
        owner.primary,
        direct,
        ...owner.encryptionSubkey(),
        ...owner.signingSubkey(makeKey('ed448', { version: 6 })),
      ],
    ];
    expect(await refused(all)).toEqual([[], all.length]);
  });

  it('is refused by it when somebody whom the key has named has revoked it, and so nobody uses it', async () => {
    // Keystore contract §3.2 and case 79 want this revocation to be kept and given out, rule 12 nothing that this library refuses. A
    // key that it does not read verifies nothing, which is what a revocation is for; without it the key would be good for everybody.
    const [owner, revoker] = [new Owner(), new Owner()];
    const named = owner.sign(0x1f, {
      hashed: [[12, Buffer.from(`8016${revoker.key.facts.fingerprint}`, 'hex')]],
    });
    const [raw] = splitCertificates([
      owner.primary,
      revoker.sign(0x20, { primary: owner.key.body }),
      named,
      ...owner.userId('Ann'),
    ]);
    const [other] = splitCertificates([revoker.primary, ...revoker.userId('Revoker')]);
    if (raw === undefined || other === undefined) throw new Error('no certificates');
    const known = await cleanCertificate(other, clock);
    const gone = await cleanCertificate(raw, clock, { findRevoker: async () => known });
    expect(summarise(gone).revoked).toBe(true);
    const file = join(folder.path, 'gone.asc');
    await writeFile(file, writeArmor(writeCertificate(gone)));
    expect(await complaints(1, [file])).toEqual([
      expect.stringContaining('revocation signature signed by alternate key'),
    ]);
  });

  it('is read by it beside others in one block, too', async () => {
    const kinds: Kind[] = ['ed25519Legacy', 'rsa2048', 'nistP256', 'dsa2048', 'brainpoolP512r1'];
    const owners = kinds.map((kind) => new Owner(kind));
    const all = owners.map((owner, at) => [
      owner.primary,
      ...(at === 1 ? [owner.sign(0x20)] : []),
      ...owner.userId('Ann'),
      ...owner.encryptionSubkey(),
    ]);
    const files = (await Promise.all(all.map(served))).filter((file) => file !== undefined);
    const armors = await Promise.all(files.map((file) => readFile(file, 'utf8')));
    const file = join(folder.path, 'together.asc');
    await writeFile(file, joinArmor(armors));
    expect(await complaints(kinds.length, [file])).toEqual([]);
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
