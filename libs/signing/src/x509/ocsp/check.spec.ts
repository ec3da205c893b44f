import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import * as x509 from '@peculiar/x509';
import { beforeAll, describe, expect, it } from 'vitest';
import { lacking, skipped } from '../../../../../test/support/needs.js';
import { FIXTURE_CLOCK } from '../../../../../test/support/sif-keys.js';
import {
  CODE_SIGNING,
  OCSP_GOOD,
  OCSP_UNKNOWN,
  ocspAnswer,
  ocspRevoked,
  privateKeyPem,
  testCertificate,
  type OcspAnswerOptions,
  type TestCertificate,
  type TestCertificateOptions,
} from '../../../../../test/support/code-signing.js';
import { certificateKey, type CertificateOptions } from '../certificateKey.js';
import { DerTag, write } from './der.js';
import { certificateId, ocspRequest, subjectName } from './request.js';

const clock = FIXTURE_CLOCK;
const OCSP_SIGNING = '1.3.6.1.5.5.7.3.9';
const URL = 'http://ocsp.example.org/';

let root: TestCertificate;
let leaf: TestCertificate;
beforeAll(async () => {
  root = await testCertificate({ name: 'Root', authority: true });
  leaf = await testCertificate({ name: 'Leaf', issuer: root, usages: [CODE_SIGNING], ocsp: URL });
});

const trust = (ocsp: CertificateOptions['ocsp'], options: Partial<CertificateOptions> = {}) =>
  certificateKey({ certificate: leaf.pem, roots: [root.pem], clock, ...(ocsp && { ocsp }), ...options });

const answer = (options: OcspAnswerOptions = {}) => ocspAnswer(leaf, root, options);

describe('whether a certificate was revoked', () => {
  it('is asked at the address in it, about it', async () => {
    const asked: [string, string][] = [];
    await trust(async (url, request) => {
      asked.push([url, Buffer.from(request).toString('hex')]);
      return answer();
    });
    expect(asked).toEqual([
      [URL, ocspRequest(certificateId(leaf.certificate, root.certificate)).toString('hex')],
    ]);
  });

  it.each<[string, OcspAnswerOptions]>([
    ['named by its name', {}],
    ['named by its key', { by: 'key' }],
    ['about now, without saying until when', { nextUpdate: '' }],
    ['from a clock that is a little ahead', { thisUpdate: '20261125120300Z' }],
  ])('is answered by its authority: %s', async (_what, options) => {
    expect(await trust(() => answer(options))).toMatchObject({ subject: 'CN=Leaf' });
  });

  it('is answered by somebody whom the authority let answer, and by nobody else', async () => {
    const helper = (options: Partial<TestCertificateOptions>) =>
      testCertificate({ name: 'Helper', issuer: root, usages: [OCSP_SIGNING], ...options });
    const allowed = await helper({});
    expect(await trust(() => answer({ signer: allowed, certificates: [leaf, allowed] }))).toBeDefined();
    const stranger = await testCertificate({ name: 'Root', authority: true });
    for (const other of [
      await helper({ usages: [CODE_SIGNING] }),
      await helper({ until: '2026-02-01T00:00:00Z' }),
      await helper({ issuer: stranger }),
      stranger,
    ])
      await expect(trust(() => answer({ signer: other, certificates: [other] }))).rejects.toThrow(
        'is not signed by its authority',
      );
    await expect(trust(() => answer({ signer: allowed }))).rejects.toThrow('is not signed by its authority');
  });

  it('is known: it was', async () => {
    await expect(trust(() => answer({ status: ocspRevoked('20261101000000Z') }))).rejects.toMatchObject({
      message: 'Failed to verify container: x509: certificate revoked: CN=Leaf at 2026-11-01T00:00:00.000Z',
      reason: 'certificate_revoked',
      exitCode: 255,
    });
  });

  it.each<[string, OcspAnswerOptions, string]>([
    ['by nobody', { status: OCSP_UNKNOWN }, 'does not know it'],
    ['long ago', { thisUpdate: '20261101000000Z', nextUpdate: '20261102000000Z' }, 'is too old'],
    ['yesterday, without saying until when', { thisUpdate: '20261124000000Z', nextUpdate: '' }, 'is too old'],
    ['tomorrow', { thisUpdate: '20261126000000Z', nextUpdate: '20261127000000Z' }, 'is from the future'],
    ['about another one', { about: write(DerTag.sequence) }, 'is about another certificate'],
    [
      'with what nobody understands',
      {
        extensions: write(
          DerTag.explicit(1),
          write(
            DerTag.sequence,
            write(
              DerTag.sequence,
              write(DerTag.oid, Buffer.of(42, 3)),
              write(DerTag.boolean, Buffer.of(0xff)),
              write(DerTag.octetString),
            ),
          ),
        ),
      },
      'critical extension',
    ],
    ['with a weak hash', { algorithm: '2a8648ce3d0401' }, 'is not signed by its authority'],
  ])('is not known when it is answered %s', async (_what, options, why) => {
    await expect(trust(() => answer(options))).rejects.toMatchObject({
      reason: 'certificate_revocation_unknown',
      message: expect.stringContaining(why),
      exitCode: 255,
    });
  });

  it('is not known when nobody answers, or says why not, or something else', async () => {
    const answers: [() => Promise<Uint8Array>, string][] = [
      [() => Promise.reject(new Error('connection refused')), 'connection refused'],
      [
        async () => write(DerTag.sequence, write(DerTag.enumerated, Buffer.of(3))),
        'the responder says tryLater',
      ],
      [async () => Buffer.from('<html>'), 'no answer from'],
      [async () => randomBytes(64 * 1024 + 1), 'at most 65536 bytes'],
    ];
    for (const [ask, why] of answers) await expect(trust(ask)).rejects.toThrow(why);
  });

  it('is not known of a certificate without an address', async () => {
    const silent = await testCertificate({ name: 'Silent', issuer: root, usages: [CODE_SIGNING] });
    await expect(trust(() => answer(), { certificate: silent.pem })).rejects.toThrow(
      'names no OCSP responder',
    );
    expect(await trust(undefined, { certificate: silent.pem })).toMatchObject({ subject: 'CN=Silent' });
  });

  it('is not known of one whose authority is not there, or is ambiguous', async () => {
    await expect(trust(() => answer(), { roots: [leaf.pem] })).rejects.toThrow('signed it is not known');
    const twin = { ...root, ...(await crossSigned()) };
    await expect(trust(() => answer(), { roots: [root.pem, twin.pem] })).rejects.toThrow(
      'Expected one chain',
    );
  });

  it('is asked of every authority but the root', async () => {
    const between = await testCertificate({ name: 'Between', issuer: root, authority: true, ocsp: URL });
    const lower = await testCertificate({
      name: 'Lower',
      issuer: between,
      usages: [CODE_SIGNING],
      ocsp: URL,
    });
    const id = (one: TestCertificate, above: TestCertificate) =>
      certificateId(one.certificate, above.certificate);
    const statusOf = async (betweenStatus: Buffer) => {
      const asked: string[] = [];
      const result = await trust(
        async (_url, request) => {
          const isLower = Buffer.from(request).includes(id(lower, between));
          asked.push(isLower ? 'lower' : 'between');
          return isLower
            ? answer({ about: id(lower, between), signer: between })
            : answer({ about: id(between, root), status: betweenStatus });
        },
        { certificate: lower.pem, intermediates: between.pem },
      ).then(
        () => 'good',
        (error: unknown) => String(error),
      );
      return [asked, result];
    };
    expect(await statusOf(OCSP_GOOD)).toEqual([['lower', 'between'], 'good']);
    expect(await statusOf(ocspRevoked('20261101000000Z'))).toEqual([
      ['lower', 'between'],
      expect.stringContaining('certificate revoked: CN=Between'),
    ]);
  });

  it('takes no answer of which one byte was changed, wherever', async () => {
    const good = await answer();
    for (let at = 0; at < good.length; at += 1) {
      const changed = Buffer.from(good);
      changed[at] = (changed[at] ?? 0) ^ 1;
      await expect(trust(async () => changed)).rejects.toMatchObject({ exitCode: 255 });
    }
  });
});

/** Another certificate for the root's name and key. */
async function crossSigned(): Promise<Pick<TestCertificate, 'pem'>> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const made = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: '0102030405',
    name: 'CN=Root',
    keys: root.keys,
    signingAlgorithm: algorithm,
    notBefore: new Date('2026-01-01T00:00:00Z'),
    notAfter: new Date('2030-01-01T00:00:00Z'),
    extensions: [new x509.BasicConstraintsExtension(true, undefined, true)],
  });
  return { pem: made.toString('pem') };
}

const noOpenssl = lacking('openssl');

describe.skipIf(noOpenssl)(`openssl as responder${skipped(noOpenssl)}`, () => {
  it.each([
    ['V', 'CN=Leaf'],
    ['R', 'Failed to verify container: x509: certificate revoked: CN=Leaf at 2026-11-01T00:00:00.000Z'],
  ])('answers our requests, and we read its answers: %s', async (status, outcome) => {
    const folder = await mkdtemp(join(tmpdir(), 'scs-ocsp-'));
    try {
      const run = promisify(execFile);
      const path = (name: string) => join(folder, name);
      const now = new Date();
      const serial = leaf.certificate.serialNumber;
      const when = status === 'R' ? '261101000000Z' : '';
      await writeFile(path('index.txt'), `${status}\t300101000000Z\t${when}\t${serial}\tunknown\t/CN=Leaf\n`);
      await writeFile(path('root.pem'), root.pem);
      await writeFile(path('root.key'), await privateKeyPem(root));
      const openssl = async (request: Uint8Array) => {
        await writeFile(path('request.der'), request);
        const to = ['-reqin', path('request.der'), '-respout', path('answer.der')];
        const as = ['-index', path('index.txt'), '-CA', path('root.pem'), '-rsigner', path('root.pem')];
        await run('openssl', ['ocsp', ...as, '-rkey', path('root.key'), '-ndays', '1', ...to]);
        return readFile(path('answer.der'));
      };
      const asked = trust((_url, request) => openssl(request), { clock: { now: () => now } });
      expect(
        await asked.then(
          ({ subject }) => subject,
          (error: unknown) => (error as Error).message,
        ),
      ).toBe(outcome);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

it('certificates are named by hashes of their authority', () => {
  const id = certificateId(leaf.certificate, root.certificate);
  const hash = createHash('sha1').update(subjectName(root.certificate)).digest();
  expect(id.includes(hash)).toBe(true);
});
