import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DomainError } from '#libs/core';
import {
  cleanCertificate,
  looksClearSigned,
  PGP_LIMITS,
  readCleanCertificate,
  readKeys,
  readPackets,
  readUpload,
  splitCertificates,
  splitClearSigned,
  summarise,
  verifyClearSigned,
  writeCertificate,
} from '#libs/pgp';
import {
  addObject,
  DataType,
  deleteObject,
  digestOf,
  headerText,
  imageWarnings,
  infoText,
  listText,
  MemoryAccess,
  objectProblem,
  openObject,
  readSif,
  rootPartition,
  unusedBytes,
} from '#libs/sif';
import { coverageSentences, readPublicKey, resultJson, signatureText, verifyImage } from '#libs/signing';
import { DerError } from '../../libs/signing/src/x509/ocsp/der.js';
import { readResponse } from '../../libs/signing/src/x509/ocsp/response.js';
import { ocspAnswer, testCertificate } from '../support/code-signing.js';
import { SIF_FIXTURES, sifFixture, sifFixtureNames } from '../support/sif-fixtures.js';
import { FIXTURE_CLOCK as clock, sifPem, sifRing } from '../support/sif-keys.js';
import { mutate, type MutateOptions } from './mutate.js';
import type { Random } from './random.js';

/** A reader of hostile bytes. */
export interface Target {
  readonly name: string;
  /** Parts of the sources whose blocks count. */
  readonly sources: readonly string[];
  /** What to begin with, besides the committed corpus. */
  seeds(): Buffer[];
  readonly words: readonly Buffer[];
  /** Bytes of an input at most. */
  readonly longest: number;
  /** Other changes than those that fit every format. */
  readonly mutate?: (input: Buffer, random: Random, options: MutateOptions) => Buffer;
  /**
   * Reads an input and uses what it says. An answer is anything but a thrown error; an error that a person can understand is
   * one, too: its kind is returned.
   * @throws everything that is a fault
   */
  run(input: Buffer): Promise<string | undefined>;
}

const CORPUS = join(import.meta.dirname, '../fixtures/fuzz');

/** The committed inputs of a target. */
function committed(name: string): Buffer[] {
  const folder = join(CORPUS, name);
  return readdirSync(folder).map((file) => readFileSync(join(folder, file)));
}

const words = (...texts: string[]): Buffer[] => texts.map((text) => Buffer.from(text, 'latin1'));

/** Words without what is different each time: numbers, ids, and whatever the input is quoted with. */
const kindOf = (reason: string, message: string): string =>
  `${reason} ${(message.split(/, got |["'(]/)[0] ?? '').replace(/\b[0-9A-F]{8,}\b/gi, 'X').replace(/\d+/g, 'N')}`;

/** The kind of a refusal, undefined when it was none. */
async function refusal(work: () => unknown): Promise<string | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    if (error instanceof DomainError) return kindOf(error.reason, error.message);
    throw error;
  }
}

const dsse = [readPublicKey(sifPem('keys/test-ed25519.pub.pem'))];
const pgp = [sifRing()];

const sif: Target = {
  name: 'sif',
  sources: ['/libs/sif/', '/libs/signing/'],
  seeds: () => [...committed('sif'), ...smallImages()],
  words: words(
    'SIF_MAGIC\0',
    '01\0',
    '\x01\x40\0\0',
    '\x04\x40\0\0',
    '\x05\x40\0\0',
    '\x01\0\0\xf0',
    'sha256:',
  ),
  longest: 32 * 1024,
  mutate: (input, random, options) =>
    random.below(2) === 0 ? mutateField(input, random) : mutate(input, random, options),
  run: (input) =>
    refusal(async () => {
      const access = new MemoryAccess(input);
      const image = await readSif(access);
      for (const text of [headerText(image), listText(image), ...imageWarnings(image)]) checkPrintable(text);
      for (const one of image.descriptors) {
        await refusal(() => checkPrintable(infoText(one)));
        if (objectProblem(image, one) === undefined) await digestOf(openObject(image, one));
      }
      await refusal(() => rootPartition(image));
      await unusedBytes(image);
      for (const legacy of [false, true]) {
        const result = await verifyImage(access, { clock, pgp, dsse, legacy, outside: true });
        for (const text of [...coverageSentences(result).map((one) => one.text), ...result.outside])
          checkPrintable(text);
        for (const report of result.signatures) checkPrintable(signatureText(report));
        resultJson(result);
      }
      // A change either is made whole or not at all.
      await refusal(() =>
        addObject(access, { type: DataType.generic, data: Buffer.from('added') }, { clock }),
      );
      await refusal(() => deleteObject(access, 1, { clock, zero: true, compact: true }));
      await readSif(access);
    }),
};

/** Text that is printed holds no control character but line ends. */
function checkPrintable(text: string): void {
  if (/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/.test(text))
    throw new Error(`Unprintable: ${JSON.stringify(text)}`);
}

function smallImages(): Buffer[] {
  return ['hostile', 'images', 'tampered', 'undetected', 'legacy']
    .flatMap(sifFixtureNames)
    .filter((name) => !name.endsWith('.gz'))
    .map(sifFixture);
}

/** Offsets and widths of the numbers in header and descriptor (SIF contract §1.1, §1.3). */
const HEADER_FIELDS = [64, 72, 80, 88, 96, 104, 112, 120].map((at) => [at, 8] as const);
const DESCRIPTOR_FIELDS: readonly (readonly [number, number])[] = [
  [0, 4],
  [4, 1],
  [5, 4],
  [9, 4],
  [13, 4],
  [17, 8],
  [25, 8],
  [33, 8],
  [41, 8],
  [49, 8],
  [201, 4],
  [205, 4],
];
const VALUES = [
  0n,
  1n,
  2n,
  3n,
  4n,
  127n,
  128n,
  585n,
  3510n,
  4096n,
  8192n,
  -1n,
  -4096n,
  2n ** 31n - 1n,
  2n ** 32n - 1n,
  2n ** 53n + 1n,
  2n ** 62n,
  2n ** 63n - 1n,
  -(2n ** 63n),
  0x4001n,
  0x4004n,
  0x4005n,
  0x4008n,
  0x400bn,
  0xf0000000n,
  0xf0000001n,
  0xe0000001n,
];

/** Changes one number of header or table: random bytes hardly ever hit one. */
export function mutateField(input: Buffer, random: Random): Buffer {
  const changed = Buffer.from(input);
  if (input.length < 128) return changed;
  const table = Number(BigInt.asIntN(32, changed.readBigInt64LE(96)));
  const inTable = random.below(4) > 0;
  const [at, width] = random.of(inTable ? DESCRIPTOR_FIELDS : HEADER_FIELDS);
  const place = at + (inTable ? table + 585 * random.below(8) : 0);
  const value = Buffer.alloc(8);
  value.writeBigInt64LE(
    BigInt.asIntN(64, random.of(VALUES) + BigInt(random.of([0, 0, 0, 1, -1, random.below(4096)]))),
  );
  if (place >= 0 && place + width <= changed.length) value.copy(changed, place, 0, width);
  return changed;
}

/** What the signers of the seeds really signed; nothing else may ever come out as signed. */
const signedTexts = new Set<string>();

const clearSigned: Target = {
  name: 'clear-signed',
  sources: ['/libs/pgp/'],
  seeds() {
    const messages = smallSignatures();
    for (const message of messages) signedTexts.add(splitClearSigned(message).text.toString('latin1'));
    return [...committed('clear-signed'), ...messages];
  },
  words: words(
    '-----BEGIN PGP SIGNED MESSAGE-----\n',
    '-----BEGIN PGP SIGNATURE-----\n',
    '-----END PGP SIGNATURE-----\n',
    'Hash: SHA256\n',
    '\n\n',
    '\r\n',
    '- ',
    '- -----',
    '=AAAA',
    ' \t\n',
  ),
  longest: 64 * 1024,
  run: (input) =>
    refusal(async () => {
      if (looksClearSigned(input)) splitClearSigned(input);
      const { text } = await verifyClearSigned(
        input,
        (keyId) =>
          sifRing()
            .find(keyId)
            .then((keys) => [...keys]),
        clock.now(),
      );
      if (!signedTexts.has(text.toString('latin1')))
        throw new Error(`Taken for signed: ${text.toString('latin1')}`);
    }),
};

function smallSignatures(): Buffer[] {
  return smallImages().flatMap((bytes) => {
    const begin = bytes.indexOf('-----BEGIN PGP SIGNED MESSAGE');
    const end = bytes.indexOf('-----END PGP SIGNATURE-----', begin);
    if (begin === -1 || end === -1) return [];
    const message = bytes.subarray(begin, end + '-----END PGP SIGNATURE-----'.length);
    try {
      splitClearSigned(message);
      return [message];
    } catch {
      // One of the fixtures that were damaged on purpose.
      return [];
    }
  });
}

const packets: Target = {
  name: 'packets',
  sources: ['/libs/pgp/'],
  seeds: () => [...committed('packets'), ...keyFiles()],
  words: words(
    '-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n',
    '-----END PGP PUBLIC KEY BLOCK-----\n',
    '=AAAA',
    '\xc6\x33\x04',
    '\x99\x01\x0d\x04',
    '\xcd',
    '\xd1',
    '\xc2\xff\xff\xff\xff\xff',
    '\xff',
    '\xe0',
  ),
  longest: 64 * 1024,
  run: async (input) => {
    const kinds = [
      await refusal(() => readPackets(Buffer.from(input))),
      await refusal(() => taken(Buffer.from(input))),
      await refusal(() => readKeys(input)),
    ];
    return kinds.join(' | ');
  },
};

/** Takes an upload as the keystore does, and uses what is left of it. */
async function taken(upload: Buffer): Promise<void> {
  for (const raw of readUpload(upload).certificates) {
    const certificate = await cleanCertificate(raw, clock);
    summarise(certificate);
    const [stored] = splitCertificates(readPackets(writeCertificate(certificate)));
    if (stored === undefined) throw new Error('Nothing was written of a certificate');
    const again = writeCertificate(await readCleanCertificate(stored));
    if (!again.equals(writeCertificate(certificate)))
      throw new Error('A certificate is not read as it was written');
  }
}

function keyFiles(): Buffer[] {
  const folder = join(SIF_FIXTURES, 'keys');
  const armored = readdirSync(folder)
    .filter((name) => name.endsWith('.pub.asc'))
    .map((name) => readFileSync(join(folder, name)));
  // In binary form a changed byte is a changed byte of the key.
  const binary = armored.map((text) => {
    const lines =
      text
        .toString('latin1')
        .split('\n\n')[1]
        ?.split(/\n=|\n-----END/)[0] ?? '';
    return Buffer.from(lines.replaceAll('\n', ''), 'base64');
  });
  return [...binary, ...armored].filter(({ length }) => length <= PGP_LIMITS.keyFileBytes);
}

/** Envelopes and metadata, as the data of a signature in an image that fits it. */
const envelope: Target = {
  name: 'envelope',
  sources: ['/libs/signing/'],
  seeds: () => [
    ...committed('envelope'),
    ...['images/signed-dsse-ed25519.sif', 'images/deterministic-signed-dsse.sif'].map((name) => {
      const bytes = sifFixture(name);
      return bytes.subarray(bytes.indexOf('{"payloadType"'));
    }),
  ],
  words: words(
    '{"payloadType":',
    '"payload":"',
    '"signatures":[',
    '"keyid":""',
    '"sig":"',
    'null',
    '[[',
    '1e9',
    '\\u0000',
  ),
  longest: 16 * 1024,
  run: async (input) => {
    const image = await readSif(signedImage);
    const signature = image.descriptors.find(({ type }) => type === DataType.signature);
    const access = new MemoryAccess(signedImage.toBuffer().subarray(0, Number(signature?.offset)));
    await access.write(input, access.size);
    const size = Buffer.alloc(8);
    size.writeBigInt64LE(BigInt(input.length));
    await access.write(size, Number(image.header.descriptorsOffset) + 585 * (signature?.slot ?? 0) + 25);
    const { ok, failure } = await verifyImage(access, { clock, pgp, dsse });
    return ok ? 'verified' : kindOf(failure?.reason ?? '', failure?.message ?? '');
  },
};
const signedImage = new MemoryAccess(sifFixture('images/signed-dsse-ed25519.sif'));

const ocspSeeds: Buffer[] = [];

const ocsp: Target = {
  name: 'ocsp',
  sources: ['/libs/signing/'],
  seeds: () => [...committed('ocsp'), ...ocspSeeds],
  words: words(
    '\x30\x80',
    '\x30\x84\xff\xff\xff\xff',
    '\x0a\x01\0',
    '\xa0\x03',
    '\x18\x0f20261125000000Z',
    '\x06\x09',
    '\x04\x00',
  ),
  longest: 8 * 1024,
  run: async (input) => {
    try {
      const { answers } = readResponse(input);
      return answers.map(({ status }) => status).join();
    } catch (error) {
      if (error instanceof DerError) return kindOf('der', error.message);
      throw error;
    }
  },
};

/** Fills in what takes a key to make. */
export async function prepare(): Promise<void> {
  const root = await testCertificate({ name: 'Root', authority: true });
  const leaf = await testCertificate({ name: 'Leaf', issuer: root });
  ocspSeeds.push(
    await ocspAnswer(leaf, root),
    await ocspAnswer(leaf, root, { by: 'key', certificates: [root] }),
  );
}

export const TARGETS: readonly Target[] = [sif, clearSigned, packets, envelope, ocsp];
