import { ManualClock } from '#libs/core';
import { MemoryAccess } from '#libs/sif';
import * as x509 from '@peculiar/x509';
import { beforeAll, describe, expect, it } from 'vitest';
import { sifFixture } from '../../../../test/support/sif-fixtures.js';
import { FIXTURE_CLOCK, sifPem } from '../../../../test/support/sif-keys.js';
import {
  CODE_SIGNING,
  testCertificate,
  type TestCertificate,
} from '../../../../test/support/code-signing.js';
import { verifyImage } from '../verify.js';
import { readCertificates } from './certificate.js';
import { certificateKey, type CertificateOptions } from './certificateKey.js';

const clock = FIXTURE_CLOCK;
const file = (name: string) => sifPem(`keys/test-${name}.cert.pem`);
const trust = (options: Partial<CertificateOptions> & { certificate: string }) =>
  certificateKey({ roots: [file('root-ca')], intermediates: file('intermediate-ca'), clock, ...options });

describe('a certificate that may sign code', () => {
  it('verifies what its key signed', async () => {
    const { key, subject } = await trust({ certificate: file('leaf-codesign') });
    expect(subject).toBe('CN=SIF Test Code Signing Leaf');
    const access = new MemoryAccess(sifFixture('images/signed-dsse-ecdsa-p256.sif'));
    expect(await verifyImage(access, { clock, dsse: [key] })).toMatchObject({ ok: true });
    const other = new MemoryAccess(sifFixture('images/signed-dsse-ed25519.sif'));
    expect(await verifyImage(other, { clock, dsse: [key] })).toMatchObject({ ok: false });
  });

  it.each<[string, Partial<CertificateOptions>]>([
    ['no intermediate is known', { intermediates: file('root-ca') }],
    ['no root is trusted', { roots: [] }],
    ['another root is trusted', { roots: [file('leaf-serverauth')] }],
  ])('is refused when %s', async (_what, options) => {
    await expect(trust({ certificate: file('leaf-codesign'), ...options })).rejects.toMatchObject({
      message: expect.stringMatching(
        /^Failed to verify container: x509: certificate signed by unknown authority/,
      ),
      reason: 'certificate_unknown_authority',
      exitCode: 255,
    });
  });

  it('is not one for servers', async () => {
    await expect(trust({ certificate: file('leaf-serverauth') })).rejects.toThrow(
      'x509: certificate specifies an incompatible key usage',
    );
  });

  it.each(['2023-12-31T00:00:00Z', '2200-01-01T00:00:00Z'])('is valid now, not at %s', async (time) => {
    await expect(trust({ certificate: file('leaf-codesign'), clock: new ManualClock(time) })).rejects.toThrow(
      'x509: certificate has expired or is not yet valid',
    );
  });

  it('may stand in one file with the authorities above it', async () => {
    const certificate = file('leaf-codesign') + file('intermediate-ca');
    const { subject } = await certificateKey({ certificate, roots: [file('root-ca')], clock });
    expect(subject).toContain('Leaf');
  });

  it('may itself be what is trusted, or the authority directly above it', async () => {
    for (const root of ['leaf-codesign', 'intermediate-ca'])
      expect(
        await certificateKey({ certificate: file('leaf-codesign'), roots: [file(root)], clock }),
      ).toMatchObject({
        subject: 'CN=SIF Test Code Signing Leaf',
      });
  });

  it.each([
    ['text', 'nothing', 'there is none'],
    [
      'a broken block',
      '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----',
      'one of them is broken',
    ],
    ['too much', 'x'.repeat(4 * 1024 * 1024 + 1), 'at most 4194304 bytes'],
  ])('is not %s', async (_what, certificate, why) => {
    await expect(trust({ certificate })).rejects.toThrow(why);
  });
});

describe('authorities', () => {
  let root: TestCertificate;
  beforeAll(async () => {
    root = await testCertificate({ name: 'Root', authority: true });
  });

  const leafOf = (issuer: TestCertificate) =>
    testCertificate({ name: 'Leaf', issuer, usages: [CODE_SIGNING] });
  const asked = async (between: TestCertificate, above: TestCertificate[] = [], leaf?: TestCertificate) =>
    certificateKey({
      certificate: (leaf ?? (await leafOf(between))).pem,
      intermediates: [between, ...above].map(({ pem }) => pem).join('\n'),
      roots: [root.pem],
      clock,
    });

  it('are good', async () => {
    const between = await testCertificate({ name: 'Between', issuer: root, authority: true, pathLength: 0 });
    expect(await asked(between)).toMatchObject({ subject: 'CN=Leaf' });
  });

  it.each<[string, Partial<Parameters<typeof testCertificate>[0]>, string]>([
    ['that are no authorities', { authority: false }, 'it is no authority'],
    [
      'whose key is for something else',
      { keyUsage: x509.KeyUsageFlags.digitalSignature },
      'may not sign certificates',
    ],
    ['that have expired', { until: '2026-02-01T00:00:00Z' }, 'valid until 2026-02-01'],
    [
      'with limits that are not understood',
      { more: [new x509.Extension('2.5.29.30', true, new Uint8Array([0x30, 0]))] },
      'unhandled critical extension 2.5.29.30',
    ],
  ])('%s are refused', async (_what, options, why) => {
    const between = await testCertificate({ name: 'Between', issuer: root, authority: true, ...options });
    await expect(asked(between)).rejects.toThrow(
      new RegExp(`signed by unknown authority \\(CN=Between: .*${why}`),
    );
  });

  it('that were signed with SHA-1 are refused', async () => {
    const between = await testCertificate({ name: 'Between', issuer: root, authority: true, hash: 'SHA-1' });
    await expect(asked(between)).rejects.toThrow('insecure algorithm ecdsa-with-SHA1');
  });

  it('that only have the name of the one that signed are refused', async () => {
    const between = await testCertificate({ name: 'Between', issuer: root, authority: true });
    const other = await testCertificate({ name: 'Between', issuer: root, authority: true });
    await expect(asked(other, [], await leafOf(between))).rejects.toThrow('its key did not sign');
    expect(await asked(other, [between], await leafOf(between))).toMatchObject({ subject: 'CN=Leaf' });
  });

  it('stand below no more others than they allow', async () => {
    const upper = await testCertificate({ name: 'Upper', issuer: root, authority: true, pathLength: 0 });
    const lower = await testCertificate({ name: 'Lower', issuer: upper, authority: true });
    await expect(asked(lower, [upper])).rejects.toThrow('no more than 0 authorities may stand below it');
  });

  it('of servers cannot make certificates for code', async () => {
    const between = await testCertificate({
      name: 'Between',
      issuer: root,
      authority: true,
      usages: ['1.3.6.1.5.5.7.3.1'],
    });
    await expect(asked(between)).rejects.toThrow('incompatible key usage');
  });

  it('that sign each other end', async () => {
    const one = await testCertificate({ name: 'One', authority: true });
    const two = await testCertificate({ name: 'Two', issuer: one, authority: true });
    const back = {
      ...(await testCertificate({ name: 'One', issuer: two, authority: true })),
      keys: one.keys,
    };
    await expect(asked(two, [one, back])).rejects.toThrow('unknown authority');
  });

  it('are searched for no longer than a limit', async () => {
    const many = await Promise.all(
      Array.from({ length: 101 }, () => testCertificate({ name: 'Between', issuer: root, authority: true })),
    );
    const [first, ...others] = many;
    if (first === undefined) throw new Error('none');
    const stranger = await testCertificate({ name: 'Between', issuer: root, authority: true });
    await expect(asked(first, others, await leafOf(stranger))).rejects.toThrow('too many certificates');
  });
});

it('a leaf with a critical extension that nobody understands is refused', async () => {
  const root = await testCertificate({ name: 'Root', authority: true });
  const leaf = await testCertificate({
    name: 'Leaf',
    issuer: root,
    usages: [CODE_SIGNING],
    more: [new x509.Extension('1.2.3.4', true, new Uint8Array([5, 0]))],
  });
  await expect(certificateKey({ certificate: leaf.pem, roots: [root.pem], clock })).rejects.toThrow(
    'x509: unhandled critical extension: 1.2.3.4',
  );
});

it('readCertificates ignores what stands around them', () => {
  expect(readCertificates(`text\n${file('root-ca')}\nmore ${file('intermediate-ca')}`)).toHaveLength(2);
});
