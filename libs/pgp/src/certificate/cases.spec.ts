import { describe, expect, it } from 'vitest';
import { type Packet, readPackets, writePacket } from '../packets/reader.js';
import { Tag } from '../packets/tags.js';
import {
  bytesOf,
  CREATED,
  CURVE_NAMES,
  type Kind,
  makeEncryptionKey,
  makeKey,
  makeSignature,
  type MadeSubpacket,
  mpi,
  Owner,
  type SignatureOptions,
  uint,
} from '../testing/maker.js';
import { clock, Store } from '../testing/store.js';
import { readUpload, revocationFor } from '../upload/readUpload.js';
import {
  type Certificate,
  cleanCertificate,
  mergeCertificates,
  summarise,
  writeArmor,
  writeCertificate,
} from './index.js';

/* The cases of keystore contract §6 that are decided by what is stored; their numbers are those of the contract. */

const now = Math.floor(clock.now().getTime() / 1000);
const DAY = 86_400;

/** Takes a whole upload as the keystore does, for one key. */
async function take(
  upload: readonly Packet[] | string | Uint8Array,
  known?: Certificate,
  findRevoker?: (fingerprint: string) => Promise<Certificate | undefined>,
): Promise<Certificate> {
  const bytes =
    typeof upload === 'string'
      ? Buffer.from(upload, 'latin1')
      : isBytes(upload)
        ? Buffer.from(upload)
        : bytesOf(upload);
  const { certificates, revocations } = readUpload(bytes);
  const [raw] = [
    ...certificates,
    ...(known === undefined ? [] : revocations.map((one) => revocationFor(known, one))),
  ];
  if (raw === undefined) throw new Error('nothing was read');
  const sent = await cleanCertificate(raw, clock, { known, ...(findRevoker && { findRevoker }) });
  return known === undefined ? sent : mergeCertificates(known, sent);
}
const isBytes = (upload: readonly Packet[] | Uint8Array): upload is Uint8Array =>
  upload instanceof Uint8Array;

const bytes = (certificate: Certificate): Buffer => writeCertificate(certificate);
const texts = (certificate: Certificate): string[] => summarise(certificate).userIds.map(({ text }) => text);
const revoked = (certificate: Certificate): boolean[] =>
  summarise(certificate).userIds.map((userId) => userId.revoked);

const ann = new Owner();
const annPlain = [ann.primary, ...ann.userId('Ann <ann@example.org>'), ...ann.encryptionSubkey()];
const mallory = new Owner();

describe('updates', () => {
  it('51: the same again changes nothing', async () => {
    const once = await take(annPlain);
    expect(bytes(await take(annPlain, once))).toEqual(bytes(once));
  });

  it('52: user ids add up, and none is lost by an older copy', async () => {
    const [one, two] = [ann.userId('One'), ann.userId('Two')];
    const both = await take([ann.primary, ...two], await take([ann.primary, ...one]));
    expect(texts(both).toSorted()).toEqual(['One', 'Two']);
    expect(bytes(await take([ann.primary, ...one], both))).toEqual(bytes(both));
  });

  it('53: a key revocation stays, whatever comes later', async () => {
    const [primary = ann.primary, ...rest] = annPlain;
    const gone = await take([primary, ann.sign(0x20), ...rest], await take(annPlain));
    expect(summarise(gone).revoked).toBe(true);
    expect(bytes(await take(annPlain, gone))).toEqual(bytes(gone));
  });

  it('54: a revocation that comes alone is of the key that made it', async () => {
    const block = writeArmor(bytesOf([ann.sign(0x20)]));
    expect(summarise(await take(block, await take(annPlain))).revoked).toBe(true);
  });

  it('55: by another key it is of none', async () => {
    const block = writeArmor(bytesOf([mallory.sign(0x20, { primary: ann.key.body })]));
    await expect(take(block, await take(annPlain))).rejects.toThrow(
      'nothing that its own signature confirms',
    );
  });

  it('56: a user id that was revoked is valid again after a later certification', async () => {
    const userId = Buffer.from('Ann');
    const [id, first] = ann.userId(userId) as [Packet, Packet];
    const revocation = ann.sign(0x30, { userId, created: CREATED + 10, hashed: [[29, Buffer.of(0)]] });
    const again = ann.sign(0x13, { userId, created: CREATED + 20 });
    const gone = await take([ann.primary, id, first, revocation]);
    expect(revoked(gone)).toEqual([true]);
    const back = await take([ann.primary, id, again], gone);
    expect(revoked(back)).toEqual([false]);
    expect(bytes(await take([ann.primary, id, first, revocation], back))).toEqual(bytes(back));
  });

  it('56: not when it is said that the key was compromised', async () => {
    const userId = Buffer.from('Ann');
    const revocation = ann.sign(0x30, { userId, created: CREATED + 10, hashed: [[29, Buffer.of(2)]] });
    const again = ann.sign(0x13, { userId, created: CREATED + 20 });
    expect(revoked(await take([ann.primary, ...ann.userId(userId), revocation, again]))).toEqual([true]);
  });

  it('57: a revoked subkey and the one that came after it are both there, the older one first', async () => {
    const old = makeEncryptionKey();
    const young = makeEncryptionKey({ created: CREATED + DAY });
    const revocation = ann.sign(0x28, { subkey: old, created: CREATED + DAY });
    const sent = [ann.primary, ...ann.userId('Ann'), ...ann.boundSubkey(old), revocation];
    const both = await take([...sent, ...ann.boundSubkey(young, { created: CREATED + DAY })]);
    expect(summarise(both).subkeys.map((subkey) => subkey.revoked)).toEqual([true, false]);
    const order = readPackets(bytes(both)).map(({ tag, body }) => (tag === Tag.signature ? body[1] : -tag));
    expect(order).toEqual([-6, -13, 0x13, -14, 0x18, 0x28, -14, 0x18]);
  });

  it.each([
    ['soft', 1, false],
    ['soft', 3, false],
    ['hard', 0, true],
    ['hard', 2, true],
    ['hard', 77, true],
  ])(
    '57: after a %s revocation (reason %i) a later binding makes the subkey valid again: not %s',
    async (_, code, stays) => {
      const subkey = makeEncryptionKey();
      const revocation = ann.sign(0x28, { subkey, created: CREATED + 10, hashed: [[29, Buffer.of(code)]] });
      const again = ann.sign(0x18, { subkey, created: CREATED + 20 });
      const [summary] = summarise(
        await take([ann.primary, ...ann.userId('Ann'), ...ann.boundSubkey(subkey), revocation, again]),
      ).subkeys;
      expect(summary?.revoked).toBe(stays);
    },
  );

  it('57: a subkey of which only a revocation has come is not served, and revoked when it comes', async () => {
    const subkey = makeEncryptionKey();
    const revocation = ann.sign(0x28, { subkey, hashed: [[29, Buffer.of(2)]] });
    const [packet, binding] = ann.boundSubkey(subkey, { created: CREATED + 10 }) as [Packet, Packet];
    const store = new Store(ann.primary);
    await store.add([ann.primary, ...ann.userId('Ann'), packet, revocation]);
    expect(readPackets(store.served).map(({ tag }) => tag)).toEqual([6, 13, 2]);
    await store.add([ann.primary, packet, binding]);
    const certificate = await store.certificate();
    expect(certificate && summarise(certificate).subkeys.map((one) => one.revoked)).toEqual([true]);
  });

  it('93: user ids that come one by one are all there', async () => {
    let all: Certificate | undefined;
    for (let n = 0; n < 20; n += 1) all = await take([ann.primary, ...ann.userId(`Ann ${n}`)], all);
    expect(all && texts(all)).toHaveLength(20);
  });
});

describe('uploads', () => {
  const secret: Packet = { tag: 5, body: Buffer.concat([ann.key.body, Buffer.alloc(40, 1)]) };
  /** Whether an upload is refused as a secret key, and nothing is left of it. */
  const isWiped = (upload: Buffer): boolean => {
    expect(() => readUpload(upload)).toThrow('It was not stored');
    return upload.every((octet) => octet === 0);
  };

  it('58: a secret key is refused and wiped', () => {
    expect(isWiped(Buffer.from(writeArmor(bytesOf([secret])).replaceAll('PUBLIC', 'PRIVATE')))).toBe(true);
  });

  it('59: also under another label, beside public keys, and as a stub', () => {
    const stub: Packet = {
      tag: 7,
      body: Buffer.concat([ann.key.body, Buffer.from([255, 0, 101, 0x47, 0x4e, 0x55, 1])]),
    };
    expect(isWiped(Buffer.from(writeArmor(bytesOf([secret]))))).toBe(true);
    expect(isWiped(bytesOf([...annPlain, secret]))).toBe(true);
    expect(isWiped(bytesOf([...annPlain, stub]))).toBe(true);
  });

  it('60: two certificates in one block, and two blocks', () => {
    const other = [mallory.primary, ...mallory.userId('Mallory')];
    for (const text of [
      writeArmor(bytesOf([...annPlain, ...other])),
      `${writeArmor(bytesOf(annPlain))}and\n${writeArmor(bytesOf(other))}`,
    ])
      expect(
        readUpload(Buffer.from(text)).certificates.map(({ primary }) => Buffer.from(primary.body)),
      ).toEqual([ann.key.body, mallory.key.body]);
  });

  it('61: a broken one beside a good one is told; eleven are too large', async () => {
    const broken = writeArmor(bytesOf(annPlain)).replace('\n\n', '\n\n<');
    const good = writeArmor(bytesOf([mallory.primary, ...mallory.userId('Mallory')]));
    const { certificates, faults } = readUpload(Buffer.from(`${broken}\n${good}`));
    expect([certificates.length, faults.length]).toEqual([1, 1]);
    expect(() => readUpload(Buffer.from(broken))).toThrow('no base64');
    const eleven = bytesOf(Array.from({ length: 11 }, () => mallory.primary));
    expect(() => readUpload(eleven)).toThrow(expect.objectContaining({ code: 'too_large' }));
  });

  it.each(['', 'nothing but text'])('62: %j is no key', (text) => {
    expect(() => readUpload(Buffer.from(text))).toThrow(expect.objectContaining({ code: 'unprocessable' }));
  });

  const armored = writeArmor(bytesOf(annPlain));
  it.each([
    ['65: lost plus signs', armored.replaceAll('+', ' ')],
    ['66: CRLF', armored.replaceAll('\n', '\r\n')],
    ['66: text around', `before\n${armored}after`],
    ['66: no checksum', armored.replace(/^=.*\n/m, '')],
    ['66: another checksum', armored.replace(/^=.*$/m, '=abcd')],
    ['66: headers', armored.replace('\n\n', '\nVersion: 1\nHash: x\n\n')],
    ['67: labelled as a file', armored.replaceAll('PUBLIC KEY BLOCK', 'ARMORED FILE')],
  ])('%s is the same key', async (_, text) => {
    expect(bytes(await take(text))).toEqual(bytes(await take(annPlain)));
  });

  it.each([
    ['base64 that is cut off', armored.replace(/..\n=/, '\n=')],
    ['an indented block', armored.replaceAll(/^/gm, '  ')],
    ['a message', armored.replaceAll('PUBLIC KEY BLOCK', 'MESSAGE')],
    ['an empty block', '-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n-----END PGP PUBLIC KEY BLOCK-----\n'],
  ])('68: %s is refused', (_, text) => {
    expect(() => readUpload(Buffer.from(text))).toThrow(expect.objectContaining({ code: 'unprocessable' }));
  });
});

describe('what others have added', () => {
  /** Certifications of the key's user id by somebody else. */
  const thirdParty = (count: number): Packet[] =>
    Array.from({ length: count }, (_, at) =>
      mallory.sign(0x10, { primary: ann.key.body, userId: Buffer.from('Ann'), created: CREATED + at }),
    );
  const [id, own] = ann.userId('Ann') as [Packet, Packet];

  it('70: 1239 certifications by others go, and a few hundred octets stay', async () => {
    const sent = [ann.primary, id, ...thirdParty(1239), own];
    expect(bytesOf(sent).length).toBeGreaterThan(100_000);
    const cleaned = await take(sent);
    expect(bytes(cleaned)).toEqual(bytes(await take([ann.primary, id, own])));
    expect(bytes(cleaned).length).toBeLessThan(400);
  });

  it('71: a number of 32,492 bits in the signature of somebody else harms nobody', async () => {
    const [one = own] = thirdParty(1);
    const end = 6 + Buffer.from(one.body).readUInt16BE(4) + 2 + 2;
    const large = Buffer.concat([one.body.subarray(0, end), uint(32_492, 2), Buffer.alloc(4062, 1)]);
    expect(bytes(await take([ann.primary, id, own, { tag: Tag.signature, body: large }]))).toEqual(
      bytes(await take([ann.primary, id, own])),
    );
  });

  it('72: 150,000 signatures are refused before they are read, and as many as are read are trimmed', async () => {
    const [one = own] = thirdParty(1);
    const signature = writePacket({
      tag: Tag.signature,
      body: Buffer.concat([one.body.subarray(0, 8), Buffer.alloc(2)]),
    });
    const flood = Buffer.concat([
      bytesOf([ann.primary, id]),
      ...Array.from({ length: 150_000 }, () => signature),
    ]);
    expect(flood.length).toBeLessThan(2 * 1024 * 1024);
    expect(() => readUpload(flood)).toThrow(expect.objectContaining({ code: 'too_large' }));
    expect(texts(await take([ann.primary, id, own, ...thirdParty(4900)]))).toEqual(['Ann']);
  });

  it('73: attributes go, user ids stay', async () => {
    const attribute: Packet = { tag: 17, body: Buffer.alloc(3000, 1) };
    const signature = ann.sign(0x13);
    const sent = [
      ann.primary,
      attribute,
      signature,
      id,
      own,
      attribute,
      signature,
      ...ann.encryptionSubkey(),
    ];
    const cleaned = await take(sent);
    expect(readPackets(bytes(cleaned)).map(({ tag }) => tag)).toEqual([6, 13, 2, 14, 2]);
  });

  it('74: 20 kB of junk where nothing is signed goes, and the signature stays', async () => {
    const [, stuffed = own] = ann.userId('Ann', { unhashed: [[100, Buffer.alloc(20_000)]] });
    const cleaned = bytes(await take([ann.primary, id, stuffed]));
    expect(cleaned.length).toBeLessThan(400);
    expect(cleaned.includes(Buffer.from('Ann'))).toBe(true);
  });

  it('75: copies with different notes where nothing is signed are one signature', async () => {
    const at = 6 + Buffer.from(own.body).readUInt16BE(4);
    const copies = Array.from({ length: 1000 }, (_, n): Packet => {
      const note = Buffer.concat([Buffer.of(9, 16), uint(n, 8)]);
      return {
        tag: Tag.signature,
        body: Buffer.concat([
          own.body.subarray(0, at),
          uint(note.length, 2),
          note,
          own.body.subarray(at + 2),
        ]),
      };
    });
    const first = await take([ann.primary, id, own]);
    expect(bytes(await take([ann.primary, id, ...copies, own], first))).toEqual(bytes(first));
    expect(bytes(await take([ann.primary, id, ...copies, own]))).toEqual(bytes(first));
  });

  it('76: a self-signature that fails takes its user id with it; nothing else left is refused', async () => {
    const wrong = { ...own, body: Buffer.from(own.body) };
    wrong.body[20] = (wrong.body[20] ?? 0) ^ 1;
    const kept = await take([ann.primary, id, wrong, ...ann.userId('Other')]);
    expect(texts(kept)).toEqual(['Other']);
    await expect(take([ann.primary, id, wrong])).rejects.toThrow(
      'no user id that its own signature confirms',
    );
  });

  it('77: a subkey of somebody else is not taken in for signing', async () => {
    const theirs = makeKey('ed25519Legacy');
    const whole = await take([ann.primary, id, own, ...ann.signingSubkey(theirs)]);
    expect(summarise(whole).subkeys.map(({ signs }) => signs)).toEqual([true]);
    const without = { hashed: [[27, Buffer.of(2)]] as MadeSubpacket[] };
    const adopted = await take([
      mallory.primary,
      ...mallory.userId('M'),
      ...mallory.boundSubkey(theirs.body, without),
    ]);
    expect(summarise(adopted).subkeys).toEqual([]);
  });

  it('78: a key revocation by a stranger is none', async () => {
    const forged = mallory.sign(0x20, { primary: ann.key.body });
    expect(summarise(await take([ann.primary, forged, id, own])).revoked).toBe(false);
    const anonymous = mallory.sign(0x20, { primary: ann.key.body, anonymous: true });
    expect(summarise(await take([ann.primary, anonymous, id, own])).revoked).toBe(false);
  });
});

describe('79: a designated revoker', () => {
  const revoker = new Owner();
  const named = (kind: number): MadeSubpacket => [
    12,
    Buffer.from(`${kind.toString(16)}16${revoker.key.facts.fingerprint}`, 'hex'),
  ];
  const direct = ann.sign(0x1f, { hashed: [named(0x80)] });
  const revocation = revoker.sign(0x20, { primary: ann.key.body });
  const known = async (): Promise<Certificate> => take([revoker.primary, ...revoker.userId('Revoker')]);
  const find = async (fingerprint: string): Promise<Certificate | undefined> =>
    fingerprint === revoker.key.facts.fingerprint ? known() : undefined;
  const rest = ann.userId('Ann');

  it('revokes when it is known here', async () => {
    const gone = await take([ann.primary, revocation, direct, ...rest], undefined, find);
    expect(summarise(gone).revoked).toBe(true);
    // What is stored is stored: the revoker is not asked for again.
    expect(bytes(await take([ann.primary, revocation, direct, ...rest], gone))).toEqual(bytes(gone));
  });

  it('revokes when it was named before', async () => {
    const before = await take([ann.primary, direct, ...rest], undefined, find);
    expect(summarise(before).revoked).toBe(false);
    expect(summarise(await take([ann.primary, revocation, ...rest], before, find)).revoked).toBe(true);
  });

  it.each<[string, Packet[], typeof find | undefined]>([
    ['that is not known here', [revocation, direct], async () => undefined],
    ['that nobody looks for', [revocation, direct], undefined],
    ['whom the key has not named', [revocation], find],
    [
      'whom somebody else has named',
      [revocation, mallory.sign(0x1f, { primary: ann.key.body, hashed: [named(0x80)] })],
      find,
    ],
    ['named for something else', [revocation, ann.sign(0x1f, { hashed: [named(0x40)] })], find],
    ['that has revoked another key', [revoker.sign(0x20, { primary: mallory.key.body }), direct], find],
    ['in whose name somebody else signs', [forgedBy(mallory), direct], find],
    [
      'in whose place somebody else is found',
      [forgedBy(mallory), direct],
      async () => take([mallory.primary, ...mallory.userId('Mallory')]),
    ],
  ])('does not revoke %s', async (_, packets, finder) => {
    const kept = await take([ann.primary, ...packets, ...rest], undefined, finder);
    expect([summarise(kept).revoked, texts(kept)]).toEqual([false, ['Ann']]);
  });

  it('is not told to the public when the key says so', async () => {
    const secret = ann.sign(0x1f, { hashed: [named(0xc0)] });
    expect((await take([ann.primary, secret, ...rest])).direct).toEqual([]);
  });

  /** A revocation that names the revoker and is by another key. */
  function forgedBy(owner: Owner): Packet {
    return owner.sign(0x20, {
      primary: ann.key.body,
      anonymous: true,
      hashed: [[33, Buffer.from(`04${revoker.key.facts.fingerprint}`, 'hex')]],
    });
  }
});

describe('times', () => {
  it('80: an expired key is taken, with its end', async () => {
    const expiring: MadeSubpacket = [9, uint(1000, 4)];
    const { expires } = summarise(await take([ann.primary, ...ann.userId('Ann', { hashed: [expiring] })]));
    expect(expires).toBe(CREATED + 1000);
    // A newer certification gives it more time, an older one does not take it back.
    const later = ann.userId('Ann', { hashed: [[9, uint(5000, 4)]], created: CREATED + 10 });
    const both = await take([ann.primary, ...later, ...ann.userId('Ann', { hashed: [expiring] })]);
    expect(summarise(both).expires).toBe(CREATED + 5000);
    const sooner = ann.userId('Ann', { hashed: [expiring], created: CREATED + 20 });
    expect(summarise(await take([ann.primary, ...sooner], both)).expires).toBe(CREATED + 1000);
  });

  it('80: where a signature ends before the key, the one before it counts from then on', async () => {
    const short = ann.userId('Ann', { hashed: [[3, uint(100, 4)]], created: CREATED + 10 });
    const older = ann.userId('Ann', { hashed: [[9, uint(5000, 4)]] });
    expect(summarise(await take([ann.primary, ...short])).expires).toBe(CREATED + 110);
    expect(summarise(await take([ann.primary, ...short, ...older])).expires).toBe(CREATED + 5000);
  });

  it('81: what is signed two days from now goes, an hour is allowed', async () => {
    const ahead = (seconds: number): Packet[] => ann.userId('Later', { created: now + seconds });
    expect(texts(await take([ann.primary, ...ann.userId('Ann'), ...ahead(2 * DAY)]))).toEqual(['Ann']);
    await expect(take([ann.primary, ...ahead(2 * DAY)])).rejects.toThrow('no user id');
    expect(texts(await take([ann.primary, ...ahead(3600)]))).toEqual(['Later']);
  });
});

describe('versions and algorithms', () => {
  it.each([
    [2, 'version 2'],
    [3, 'version 3 are not supported by this server: their fingerprints are MD5'],
    [5, 'version 5 are not supported by this server'],
    [7, 'version 7'],
  ])('82: a key of version %i is refused with the reason', async (version, message) => {
    const body = Buffer.concat([Buffer.of(version), ann.key.body.subarray(1)]);
    await expect(take([{ tag: Tag.publicKey, body }, ...ann.userId('Ann')])).rejects.toThrow(message);
  });

  describe('83: version 6', () => {
    const six = new Owner('ed25519', { version: 6 });
    const direct = six.sign(0x1f);

    it('is taken, with a fingerprint of SHA-256 and its first octets as key id', async () => {
      const packets = [
        six.primary,
        direct,
        ...six.userId('Six'),
        ...six.encryptionSubkey(),
        ...six.signingSubkey(makeKey('ed448', { version: 6 })),
      ];
      const summary = summarise(await take(packets));
      expect(summary).toMatchObject({ version: 6, alone: true, userIds: [{ text: 'Six' }] });
      expect(summary.fingerprint).toMatch(/^[0-9a-f]{64}$/);
      expect(summary.fingerprint.startsWith(summary.keyId)).toBe(true);
      expect(new Set(summary.subkeys.map(({ signs }) => signs))).toEqual(new Set([false, true]));
    });

    it('needs no user id, and always a direct-key signature', async () => {
      expect(texts(await take([six.primary, direct]))).toEqual([]);
      await expect(take([six.primary, ...six.userId('Six')])).rejects.toThrow('no direct-key signature');
    });

    it.each<[string, Partial<SignatureOptions>]>([
      ['SHA-1', { hash: 2 }],
      ['a key id that is signed', { hashed: [[16, Buffer.alloc(8)]] }],
    ])('proves nothing with %s', async (_, options) => {
      expect(texts(await take([six.primary, direct, ...six.userId('Six', options)]))).toEqual([]);
    });

    it('has no parts of version 4, and version 4 none of it', async () => {
      const four = makeEncryptionKey();
      const mixed = await take([six.primary, direct, ...six.boundSubkey(four)]);
      expect(mixed.subkeys).toEqual([]);
      const other = await take([...annPlain, ...ann.boundSubkey(makeEncryptionKey({ version: 6 }))]);
      expect(summarise(other).subkeys).toHaveLength(1);
    });

    it('has no keys of the old forms', async () => {
      const old = Buffer.concat([
        Buffer.of(6),
        ann.key.body.subarray(1, 6),
        uint(ann.key.body.length - 6, 4),
        ann.key.body.subarray(6),
      ]);
      await expect(take([{ tag: Tag.publicKey, body: old }])).rejects.toThrow('EdDSA of the old form');
    });
  });

  const unverifiable = (algorithm: number, version = 4, octets = 1216): Buffer =>
    Buffer.concat([
      Buffer.of(version),
      uint(CREATED, 4),
      Buffer.of(algorithm),
      ...(version === 4 ? [] : [uint(octets, 4)]),
      Buffer.alloc(octets, 7),
    ]);

  it.each([30, 31, 32, 33, 34, 99])(
    '83: a primary key of algorithm %i is refused, a subkey of it is left out',
    async (algorithm) => {
      for (const version of [4, 6]) {
        const primary = { tag: Tag.publicKey, body: unverifiable(algorithm, version) };
        await expect(take([primary, ...ann.userId('Ann')])).rejects.toThrow(
          `algorithm ${algorithm} cannot be verified`,
        );
      }
      const kept = await take([...annPlain, ...ann.boundSubkey(unverifiable(algorithm))]);
      expect(bytes(kept)).toEqual(bytes(await take(annPlain)));
    },
  );

  it('84: a primary key of algorithm 27 with a subkey of 35 is stored without the subkey, and given out alone', async () => {
    const owner = new Owner('ed25519');
    const kept = await take([owner.primary, ...owner.userId('New'), ...owner.boundSubkey(unverifiable(35))]);
    expect(summarise(kept)).toMatchObject({ version: 4, algorithm: 27, alone: true, subkeys: [] });
    expect(summarise(await take(annPlain)).alone).toBe(false);
  });

  it('85: a subkey of version 5 is left out', async () => {
    const five = Buffer.concat([
      Buffer.of(5),
      uint(CREATED, 4),
      Buffer.of(18),
      uint(60, 4),
      Buffer.alloc(60, 1),
    ]);
    expect(bytes(await take([...annPlain, ...ann.boundSubkey(five)]))).toEqual(bytes(await take(annPlain)));
  });

  const kinds: [Kind, number, number][] = [
    ['rsa2048', 1, 2048],
    ['dsa2048', 17, 2048],
    ['ed25519Legacy', 22, 256],
    ['ed25519', 27, 256],
    ['ed448', 28, 448],
  ];
  const curves = {
    nistP256: 256,
    nistP384: 384,
    nistP521: 521,
    secp256k1: 256,
    brainpoolP256r1: 256,
    brainpoolP384r1: 384,
    brainpoolP512r1: 512,
  };
  it.each([...kinds, ...CURVE_NAMES.map((name): [Kind, number, number] => [name, 19, curves[name]])])(
    '86: %s is verified, as the primary key and as a subkey',
    async (kind, algorithm, bits) => {
      const owner = new Owner(kind);
      const kept = await take([
        owner.primary,
        ...owner.userId('Kind'),
        ...owner.signingSubkey(makeKey(kind)),
      ]);
      const key = { algorithm, bits };
      expect(summarise(kept)).toMatchObject({
        ...key,
        weak: false,
        userIds: [{}],
        subkeys: [{ ...key, signs: true }],
      });
    },
  );

  it('86: subkeys of Elgamal and of ECDH on all curves are kept', async () => {
    const elgamal = Buffer.concat([
      Buffer.of(4),
      uint(CREATED, 4),
      Buffer.of(16),
      mpi(Buffer.alloc(256, 0xff)),
      mpi(Buffer.of(5)),
      mpi(Buffer.alloc(255, 0x7f)),
    ]);
    const ecdh = CURVE_NAMES.map((name) => {
      const { body } = makeKey(name);
      return Buffer.concat([body.subarray(0, 5), Buffer.of(18), body.subarray(6), Buffer.of(3, 1, 8, 9)]);
    });
    const sent = [
      ...annPlain,
      ...[elgamal, ...ecdh].flatMap((body) => ann.boundSubkey(body, { hashed: [[27, Buffer.of(12)]] })),
    ];
    expect(summarise(await take(sent)).subkeys).toHaveLength(2 + ecdh.length);
  });

  it('86: a subkey with a point that is on no curve is left out: stock clients would refuse the whole key', async () => {
    const { body } = makeKey('nistP256');
    const off = Buffer.concat([body.subarray(0, 5), Buffer.of(18), body.subarray(6), Buffer.of(3, 1, 8, 9)]);
    off[off.length - 8] = (off[off.length - 8] ?? 0) ^ 1;
    const kept = await take([...annPlain, ...ann.boundSubkey(off, { hashed: [[27, Buffer.of(12)]] })]);
    expect(bytes(kept)).toEqual(bytes(await take(annPlain)));
  });

  it('87: RSA of 1024 bits is taken and called weak, of 1023 refused', async () => {
    const owner = new Owner('rsa1024');
    expect(summarise(await take([owner.primary, ...owner.userId('Small')]))).toMatchObject({
      weak: true,
      bits: 1024,
    });
    const numbers = Buffer.concat([
      mpi(Buffer.concat([Buffer.of(0x7f), Buffer.alloc(127, 0xff)])),
      mpi(Buffer.of(1, 0, 1)),
    ]);
    const smaller = Buffer.concat([Buffer.of(4), uint(CREATED, 4), Buffer.of(1), numbers]);
    await expect(take([{ tag: Tag.publicKey, body: smaller }])).rejects.toThrow(
      'at least 1024 bits, got 1023',
    );
  });

  it('88: MD5 proves nothing, SHA-1 is called weak', async () => {
    const owner = new Owner('rsa2048');
    await expect(take([owner.primary, ...owner.userId('Old', { hash: 1 })])).rejects.toThrow('no user id');
    const old = await take([owner.primary, ...owner.userId('Old', { hash: 2 })]);
    expect(summarise(old).weak).toBe(true);
    const renewed = await take([owner.primary, ...owner.userId('Old', { created: CREATED + 1 })], old);
    expect(summarise(renewed).weak).toBe(false);
  });
});

describe('limits', () => {
  it.each([1025, 2049, 6000])('89: a user id of %i octets goes, the one beside it stays', async (length) => {
    const kept = await take([ann.primary, ...ann.userId('a'.repeat(length)), ...ann.userId('Ann')]);
    expect(texts(kept)).toEqual(['Ann']);
    expect(texts(await take([ann.primary, ...ann.userId('a'.repeat(1024))]))).toHaveLength(1);
  });

  it('89: a user id with a NUL goes; control characters and what is not UTF-8 stay as they are', async () => {
    const latin = Buffer.from('B\xf6rn\n\x1b[31m', 'latin1');
    const kept = await take([ann.primary, ...ann.userId('A\0nn'), ...ann.userId(latin)]);
    expect(texts(kept)).toEqual([latin.toString('latin1')]);
    expect(bytes(kept).includes(latin)).toBe(true);
  });

  it('90: 60,000 user ids are refused before they are read', () => {
    const many = Buffer.concat([
      writePacket(ann.primary),
      Buffer.alloc(12 * 60_000, Buffer.from('\xcd\x0aAnn Example', 'latin1').subarray(0, 12)),
    ]);
    expect(() => readUpload(many)).toThrow(expect.objectContaining({ code: 'too_large' }));
  });

  it('90: of more than fifty user ids and subkeys the newest are kept, whatever their order', async () => {
    const userIds = Array.from({ length: 60 }, (_, at) => ann.userId(`Ann ${at}`, { created: CREATED + at }));
    const subkeys = Array.from({ length: 55 }, (_, at) =>
      ann.boundSubkey(makeEncryptionKey({ created: CREATED + at })),
    );
    const kept = await take([ann.primary, ...userIds.flat(), ...subkeys.flat()]);
    expect([texts(kept).length, texts(kept)[0], kept.subkeys.length]).toEqual([50, 'Ann 10', 50]);
    const other = await take([ann.primary, ...subkeys.toReversed().flat(), ...userIds.toReversed().flat()]);
    expect(bytes(other)).toEqual(bytes(kept));
    expect(kept.subkeys[0]?.facts.created).toBe(CREATED + 5);
  });

  it.each([
    ['a packet of 4 GiB', Buffer.from([0xc6, 0xff, 0xff, 0xff, 0xff, 0xff, 0x04])],
    ['a partial length', Buffer.from([0xc6, 0xe1, 0x04, 0x04])],
    ['an indeterminate length', Buffer.from([0x9b, 0x04])],
    ['compressed data', Buffer.concat([bytesOf(annPlain), Buffer.from([0xc8, 0x01, 0x00])])],
  ])('91: %s is refused', (_, upload) => {
    expect(() => readUpload(upload)).toThrow(expect.objectContaining({ code: 'unprocessable' }));
  });

  const key = (algorithm: number, ...numbers: Buffer[]): Packet => ({
    tag: Tag.publicKey,
    body: Buffer.concat([Buffer.of(4), uint(CREATED, 4), Buffer.of(algorithm), ...numbers]),
  });
  const number = (octets: number): Buffer => mpi(Buffer.alloc(octets, 0xff));
  it.each<[string, Packet, string]>([
    [
      'a modulus of 65,535 bits',
      key(1, Buffer.concat([uint(65_535, 2), Buffer.alloc(8192, 1)]), mpi(Buffer.of(3))),
      'at most',
    ],
    [
      'a modulus of 16,385 bits',
      key(1, Buffer.concat([uint(16_385, 2), Buffer.alloc(2049, 1)]), mpi(Buffer.of(3))),
      'at most 16384 bits',
    ],
    ['the exponent 0', key(1, number(256), uint(0, 2)), 'exponent above 1'],
    ['the exponent 1', key(1, number(256), mpi(Buffer.of(1))), 'exponent above 1'],
    ['an even exponent', key(1, number(256), mpi(Buffer.of(4))), 'odd numbers'],
    ['p = 0', key(17, uint(0, 2), number(32), number(1), number(1)), 'at least 1024 bits'],
    ['q = 0', key(17, number(256), uint(0, 2), number(1), number(1)), 'an order of'],
    ['g above p', key(17, number(256), number(32), number(257), number(1)), 'do not fit'],
    ['y = 1', key(17, number(256), number(32), number(1), mpi(Buffer.of(1))), 'do not fit'],
    [
      'a number that is said to be shorter',
      key(1, Buffer.concat([uint(2047, 2), Buffer.alloc(256, 0xff)]), mpi(Buffer.of(3))),
      'as it must be',
    ],
    [
      'octets behind its numbers',
      key(1, number(256), mpi(Buffer.of(3)), Buffer.of(0)),
      'longer than its key',
    ],
    ['a curve nobody knows', key(19, Buffer.of(3, 1, 2, 3), number(65)), 'elliptic curve'],
  ])('92: a key with %s is refused', async (_, packet, message) => {
    await expect(take([packet, ...ann.userId('Ann')])).rejects.toThrow(message);
  });

  it('94: shuffled, doubled and with noise between it is the same certificate', async () => {
    const [primary = ann.primary, ...rest] = annPlain;
    const noise: Packet[] = [
      { tag: 10, body: Buffer.from('PGP') },
      { tag: 12, body: Buffer.of(6, 1) },
      { tag: 21, body: Buffer.alloc(10) },
      { tag: 63, body: Buffer.alloc(3) },
    ];
    const noisy = [primary, ...[...rest.toReversed(), ...rest].flatMap((packet) => [packet, ...noise])];
    expect(bytes(await take([...noise, ...noisy]))).toEqual(bytes(await take(annPlain)));
  });
});

const notation = (name: string, value: string): Buffer =>
  Buffer.concat([
    Buffer.of(0x80, 0, 0, 0),
    uint(name.length, 2),
    uint(value.length, 2),
    Buffer.from(name + value),
  ]);

describe('self-signatures', () => {
  it('that are not for the public are left out', async () => {
    const local: MadeSubpacket = [4, Buffer.of(0)];
    expect(
      texts(await take([ann.primary, ...ann.userId('Ann'), ...ann.userId('Local', { hashed: [local] })])),
    ).toEqual(['Ann']);
  });

  it('are kept up to five for each component, the newest ones', async () => {
    const userId = Buffer.from('Ann');
    const [id] = ann.userId(userId) as [Packet];
    const many = Array.from({ length: 9 }, (_, at) => ann.sign(0x13, { userId, created: CREATED + at }));
    const kept = await take([ann.primary, id, ...many]);
    expect(kept.userIds[0]?.bindings.map(({ created }) => created - CREATED)).toEqual([8, 7, 6, 5, 4]);
  });

  it('that revoke are kept up to five, the hardest and earliest ones', async () => {
    const many = Array.from({ length: 9 }, (_, at) =>
      ann.sign(0x20, { created: CREATED + at, hashed: [[29, Buffer.of(at < 7 ? 1 : 2)]] }),
    );
    const kept = await take([ann.primary, ...many, ...ann.userId('Ann')]);
    expect(kept.revocations.map(({ created }) => created - CREATED)).toEqual([7, 8, 0, 1, 2]);
  });

  it('of a key without user ids are enough when they are about the key', async () => {
    expect(summarise(await take([ann.primary, ann.sign(0x1f)])).userIds).toEqual([]);
    expect(summarise(await take([ann.primary, ann.sign(0x20)])).revoked).toBe(true);
    await expect(take([ann.primary, ...ann.encryptionSubkey()])).rejects.toThrow('no user id');
  });

  it.each<[string, Partial<SignatureOptions>]>([
    [
      'demand to be understood by whoever knows a subpacket that nobody knows',
      { hashed: [[99, Buffer.of(1), true]] },
    ],
    ['demand that a notation is understood', { hashed: [[20, notation('a@b', 'c'), true]] }],
    ['name somebody else beside their own key', { hashed: [[16, Buffer.alloc(8, 1)]] }],
    [
      'name a version that is not that of their key',
      { hashed: [[33, Buffer.from(`03${ann.key.facts.fingerprint}`, 'hex')]] },
    ],
    ['hold another signature', { hashed: [[32, Buffer.alloc(30)]] }],
    ['hold the hash of another signature', { hashed: [[31, Buffer.of(1, 8, 1)]] }],
    ['do not say when they were made', { created: null }],
  ])('that %s are left out', async (_, options) => {
    expect(texts(await take([ann.primary, ...ann.userId('Ann'), ...ann.userId('Odd', options)]))).toEqual([
      'Ann',
    ]);
  });

  it('with a notation, or with what nobody knows and nobody has to know, are kept', async () => {
    const hashed: MadeSubpacket[] = [
      [20, notation('a@b', 'c')],
      [99, Buffer.of(1)],
    ];
    expect(texts(await take([ann.primary, ...ann.userId('Odd', { hashed })]))).toEqual(['Odd']);
  });

  it('that say with which flags a subkey is revoked are left out: stock clients would refuse the key', async () => {
    const subkey = makeEncryptionKey();
    const revocation = ann.sign(0x28, { subkey, hashed: [[27, Buffer.of(2)]] });
    const kept = await take([ann.primary, ...ann.userId('Ann'), ...ann.boundSubkey(subkey), revocation]);
    expect(summarise(kept).subkeys.map(({ revoked: isGone }) => isGone)).toEqual([false]);
  });

  it('by a subkey are none of the primary key', async () => {
    const subkey = makeKey('ed25519Legacy');
    const body = makeSignature({
      signer: subkey,
      type: 0x13,
      primary: ann.key.body,
      userId: Buffer.from('X'),
    });
    const sent = [
      ann.primary,
      ...ann.userId('Ann'),
      { tag: Tag.userId, body: Buffer.from('X') },
      { tag: Tag.signature, body },
    ];
    expect(texts(await take(sent))).toEqual(['Ann']);
  });
});
