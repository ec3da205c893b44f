import { ManualClock } from '#libs/core';
import { describe, expect, it } from 'vitest';
import { cleanCertificate, type RawCertificate, summarise, writeArmor } from '../certificate/index.js';
import { readPackets } from '../packets/reader.js';
import { Tag } from '../packets/tags.js';
import { bytesOf, Owner } from '../testing/maker.js';
import { readUpload, revocationFor } from './readUpload.js';

const clock = new ManualClock('2026-06-01T00:00:00Z');

const ann = new Owner();
const annPackets = [ann.primary, ...ann.userId('Ann <ann@example.org>'), ...ann.encryptionSubkey()];
const bob = new Owner();
const bobPackets = [bob.primary, ...bob.userId('Bob')];
const armored = writeArmor(bytesOf(annPackets));

const upload = (text: string | Uint8Array) => readUpload(Buffer.from(text as string, 'latin1'));
const bytesIn = ({ primary, components, signatures }: RawCertificate): number =>
  [primary, ...components, ...signatures].reduce((sum, { body }) => sum + body.length, 0);
const primaries = (text: string | Uint8Array) =>
  upload(text).certificates.map(({ primary }) => Buffer.from(primary.body).toString('hex'));
const keyOf = (owner: Owner): string => owner.key.body.toString('hex');

describe('an upload', () => {
  it.each<[string, string | Buffer]>([
    ['armored', armored],
    ['binary', bytesOf(annPackets)],
    ['with CRLF', armored.replaceAll('\n', '\r\n')],
    ['with blanks behind its lines', armored.replaceAll('\n', ' \n')],
    ['with blanks and CRLF', armored.replaceAll('\n', ' \t\r\n')],
    ['with text around it', `Übung: my key\n${armored}Regards,\nAnn`],
    ['behind a byte order mark', `\xef\xbb\xbf${armored}`],
    ['with lost plus signs', armored.replaceAll('+', ' ')],
    ['without a checksum', armored.replace(/^=.*$/m, '')],
    ['without the line of a checksum', armored.replace(/^=.*\n/m, '')],
    ['with a wrong checksum', armored.replace(/^=.*$/m, '=AAAA')],
    ['with headers', armored.replace('\n\n', '\nVersion: GnuPG v2\nComment: a: b\nX-Other:\n\n')],
    ['with headers and no empty line', armored.replace('\n\n', '\nVersion: GnuPG v2\n')],
    ['without an empty line', armored.replace('\n\n', '\n')],
    ['with more empty lines', armored.replace('\n\n', '\n\n\n').replace(/\n-----END/, '\n\n-----END')],
    ['labelled as a file', armored.replaceAll('PUBLIC KEY BLOCK', 'ARMORED FILE')],
    ['without a newline at its end', armored.trimEnd()],
    ['in short lines', armored.replace(/^([A-Za-z0-9+/]{60})([A-Za-z0-9+/]{4})$/gm, '$1\n$2')],
  ])('%s is read as it was made', (_, text) => {
    const { certificates, revocations, faults } = upload(text);
    expect([certificates.length, revocations.length, faults]).toEqual([1, 0, []]);
    expect(certificates.map(bytesIn)).toEqual([annPackets.reduce((sum, { body }) => sum + body.length, 0)]);
  });

  it('tells a lost plus at the end of a line from blanks of a mailer', () => {
    // One of three user ids has a plus at the ends of its lines of base64.
    const made = [0, 1, 2].map((at) => {
      const userId = Buffer.concat([Buffer.alloc(at, 1), Buffer.alloc(399, Buffer.of(1, 2, 0x3e))]);
      return { userId, text: writeArmor(bytesOf([ann.primary, { tag: Tag.userId, body: userId }])) };
    });
    expect(made.some(({ text }) => text.includes('+\n'))).toBe(true);
    for (const { userId, text } of made)
      for (const damaged of [text.replaceAll('+', ' '), text.replaceAll('\n', '  \n')])
        expect(upload(damaged).certificates[0]?.components[0]?.body).toEqual(userId);
  });

  it.each<[string, string | Buffer]>([
    ['two in one block', writeArmor(bytesOf([...annPackets, ...bobPackets]))],
    ['two blocks', `${armored}\nand also\n${writeArmor(bytesOf(bobPackets))}`],
    ['two in binary', bytesOf([...annPackets, ...bobPackets])],
    [
      'with a message beside them',
      `-----BEGIN PGP MESSAGE-----\n\nabcd\n-----END PGP MESSAGE-----\n${armored}${writeArmor(bytesOf(bobPackets))}`,
    ],
  ])('of several keys is divided: %s', (_, text) => {
    expect(primaries(text)).toEqual([ann, bob].map(keyOf));
  });

  it('loses the certificate that is cut off, and not the one before it', () => {
    const bytes = bytesOf([...annPackets, ...bobPackets]);
    for (const cut of [bytes.subarray(0, -1), writeArmor(bytes.subarray(0, -1))]) {
      const { certificates, faults } = upload(cut);
      expect(certificates.map(({ primary }) => Buffer.from(primary.body).toString('hex'))).toEqual([
        keyOf(ann),
      ]);
      expect(faults.map(({ message }) => message)).toEqual([expect.stringContaining('ends in the middle')]);
    }
  });

  it.each<[string, string | Buffer, string]>([
    ['nothing', '', 'got neither'],
    ['text', 'hello', 'Expected an OpenPGP packet'],
    ['no END line', armored.slice(0, armored.indexOf('-----END')), 'without its END line'],
    ['half of it', armored.slice(0, armored.length / 2), 'without its END line'],
    ['base64 that is cut off', armored.replace(/.{2}\n=/, '\n='), 'no base64, or not all of it'],
    ['indented', armored.replaceAll('\n', '\n  ').replace(/^/, '  '), 'at the beginning of a line'],
    ['a message', armored.replaceAll('PUBLIC KEY BLOCK', 'MESSAGE'), 'got a PGP MESSAGE'],
    ['a part of a key', armored.replaceAll('PUBLIC KEY BLOCK', 'PUBLIC KEY BLOCK, PART 1/2'), 'PART 1/2'],
    [
      'an empty block',
      '-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n-----END PGP PUBLIC KEY BLOCK-----\n',
      'no base64',
    ],
    [
      'markup',
      '-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n<b>\n-----END PGP PUBLIC KEY BLOCK-----\n',
      'no base64',
    ],
    ['more behind the checksum', armored.replace('\n-----END', '\nabcd\n-----END'), 'behind its checksum'],
    ['a user id alone', bytesOf([{ tag: Tag.userId, body: Buffer.from('Ann') }]), 'got neither'],
    [
      'a length beyond the end',
      Buffer.from([0xc6, 0xff, 0xff, 0xff, 0xff, 0xff, 0x04]),
      'ends in the middle',
    ],
    ['an indeterminate length', Buffer.from([0x9b, 0x04]), 'indeterminate'],
    ['a partial length', Buffer.from([0xc6, 0xe1, 0x04, 0x04]), 'partial'],
    ['compressed data', Buffer.from([0xc8, 0x01, 0x00]), 'got an OpenPGP message'],
    [
      'a key in compressed data',
      bytesOf([...annPackets, { tag: 8, body: Buffer.of(0) }]),
      'an OpenPGP message',
    ],
  ])('of %s is refused with a sentence', (_, text, message) => {
    expect(() => upload(text)).toThrow(
      expect.objectContaining({ code: 'unprocessable', message: expect.stringContaining(message) }),
    );
  });

  it.each([
    '\u001b[31mRED\u001b[0m',
    'KEY\u0007',
    'KEY\rINFO: all keys were stored',
    'public key block',
    '<script>alert(1)</script>',
    'X'.repeat(41),
    'KEY \x9b31m',
  ])('is not told back what somebody has written where a label belongs: %j', (label) => {
    const faults: string[] = [];
    const message = (text: string): string => {
      try {
        faults.push(...upload(text).faults.map((fault) => fault.message));
      } catch (error) {
        faults.push((error as Error).message);
      }
      return faults.at(-1) ?? '';
    };
    const odd = armored.replaceAll('PUBLIC KEY BLOCK', label);
    expect(message(odd)).toBe('Expected a PGP PUBLIC KEY BLOCK, got a block with an unknown label');
    expect(message(`${odd}${armored}`)).toBe(message(odd));
    expect(message(odd.slice(0, odd.indexOf('-----END')))).toBe(message(odd));
  });

  it.each<[string, () => Buffer]>([
    ['packets', () => Buffer.alloc(2 * 5001, Buffer.from([0xcd, 0x00]))],
    ['keys', () => bytesOf(Array.from({ length: 11 }, () => ann.primary))],
    ['blocks', () => Buffer.from(armored.repeat(51))],
    ['revocations', () => bytesOf(Array.from({ length: 11 }, () => ann.sign(0x20)))],
  ])('of too many %s is refused as too large', (_, make) => {
    expect(() => readUpload(make())).toThrow(expect.objectContaining({ code: 'too_large' }));
  });
});

describe('a secret key', () => {
  const secret = [{ tag: 5, body: Buffer.concat([ann.key.body, Buffer.from('secret')]) }];
  const stub = Buffer.concat([ann.key.body, Buffer.from([255, 0, 101, 0x47, 0x4e, 0x55, 1])]);
  const block = writeArmor(bytesOf(secret));
  const labelled = block.replaceAll('PUBLIC', 'PRIVATE');

  it.each<[string, string | Buffer]>([
    ['as such', labelled],
    ['labelled as public', block],
    ['in binary', bytesOf(secret)],
    ['beside public keys', bytesOf([...annPackets, ...secret])],
    ['in another block', `${armored}${labelled}`],
    ['in another block that is labelled as public', `${armored}${block}`],
    ['of which only a stub is there', bytesOf([{ tag: 5, body: stub }])],
    ['of a subkey', bytesOf([...annPackets, { tag: 7, body: stub }])],
    ['with a partial length', Buffer.from([0xc5, 0xe1, 0x04, 0x04])],
    ['with an old header', Buffer.from([0x95, 0xff, 0xff, 0x04])],
    ['cut off', labelled.slice(0, 100)],
    ['cut off and labelled as public', block.slice(0, block.indexOf('-----END'))],
    ['indented', labelled.replaceAll('\n', '\n  ').replace(/^/, '  ')],
    ['quoted', labelled.replaceAll('\n', '\n> ')],
    ['behind a message', `-----BEGIN PGP MESSAGE-----\n\nabcd\n-----END PGP MESSAGE-----\n${block}`],
    ['in a block that is no key', block.replaceAll('PUBLIC KEY BLOCK', 'MESSAGE')],
  ])('%s refuses all of the upload, says that it was not stored, and is wiped', (_, text) => {
    const bytes = Buffer.from(text as string, 'latin1');
    expect(() => readUpload(bytes)).toThrow('It was not stored');
    expect(bytes.every((octet) => octet === 0)).toBe(true);
  });
});

describe('a revocation that comes alone', () => {
  const revocation = ann.sign(0x20, { hashed: [[29, Buffer.of(1)]] });

  it.each([
    ['in a block of a key', writeArmor(bytesOf([revocation]))],
    [
      'in a block of a signature',
      writeArmor(bytesOf([revocation])).replaceAll('PUBLIC KEY BLOCK', 'SIGNATURE'),
    ],
    ['in binary', bytesOf([revocation])],
    [
      'with the comment of gpg',
      writeArmor(bytesOf([revocation])).replace('\n\n', '\nComment: This is a revocation certificate\n\n'),
    ],
  ])('%s says whose it may be', async (_, text) => {
    const { certificates, revocations } = upload(text);
    expect([certificates, revocations.map(({ issuers }) => issuers)]).toEqual([
      [],
      [[ann.key.facts.fingerprint]],
    ]);
    const [whole] = upload(bytesOf(annPackets)).certificates as [RawCertificate];
    const known = await cleanCertificate(whole, clock);
    const [loose] = revocations;
    if (loose === undefined) throw new Error('no revocation');
    const sent = await cleanCertificate(revocationFor(known, loose), clock, { known });
    expect(summarise(sent).revoked).toBe(true);
  });

  it.each([
    [
      'subkey',
      0x28,
      () => ({ subkey: annPackets.find(({ tag }) => tag === Tag.publicSubkey)?.body ?? Buffer.alloc(0) }),
    ],
    ['user id', 0x30, () => ({ userId: Buffer.from('Ann <ann@example.org>') })],
  ])('of a %s is read too, and finds what it is of', async (_, type, over) => {
    const signature = ann.sign(type, { ...over(), created: ann.key.facts.created + 10 });
    const [loose] = upload(bytesOf([signature])).revocations;
    const [raw] = upload(bytesOf(annPackets)).certificates;
    if (loose === undefined || raw === undefined) throw new Error('nothing was read');
    const known = await cleanCertificate(raw, clock);
    const sent = await cleanCertificate(revocationFor(known, loose), clock, { known });
    expect([...sent.userIds, ...sent.subkeys].map(({ revocations }) => revocations.length)).toEqual([1]);
  });

  it('by somebody else is refused', async () => {
    const [loose] = upload(bytesOf([bob.sign(0x20, { primary: ann.key.body })])).revocations;
    const [raw] = upload(bytesOf(annPackets)).certificates;
    if (loose === undefined || raw === undefined) throw new Error('nothing was read');
    const known = await cleanCertificate(raw, clock);
    await expect(cleanCertificate(revocationFor(known, loose), clock, { known })).rejects.toThrow('nothing');
  });

  it('with the colon of gpg before it is refused, with the remedy', () => {
    const text = writeArmor(bytesOf([revocation])).replace('-----BEGIN', ':-----BEGIN');
    expect(() => upload(`This is a revocation certificate.\n\n${text}`)).toThrow('remove the colon');
  });

  it('of a document is none', () => {
    const text = writeArmor(bytesOf([ann.sign(0x00)])).replaceAll('PUBLIC KEY BLOCK', 'SIGNATURE');
    expect(() => upload(text)).toThrow('the revocation of one');
  });
});

it('an upload holds what was sent, octet by octet', () => {
  const [raw] = upload(armored).certificates;
  const bodies = readPackets(bytesOf(annPackets)).map(({ body }) => Buffer.from(body));
  const read = [raw?.primary, ...(raw?.components ?? []), ...(raw?.signatures ?? [])];
  expect(new Set(read.map((one) => Buffer.from(one?.body ?? []).toString('hex')))).toEqual(
    new Set(bodies.map((body) => body.toString('hex'))),
  );
});

it('a revocation that names many keys is looked for under few of them', () => {
  const names = Array.from({ length: 100 }, (_, at): [number, Buffer] => [16, Buffer.alloc(8, at)]);
  const revocation = ann.sign(0x20, { anonymous: true, unhashed: names });
  expect(upload(bytesOf([revocation])).revocations[0]?.issuers).toHaveLength(4);
});
