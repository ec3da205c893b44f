import { chmod, copyFile, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  CODE_SIGNING,
  ocspAnswer,
  ocspRevoked,
  privateKeyPem,
  testCertificate,
  type OcspAnswerOptions,
} from '../../../../test/support/code-signing.js';
import { SIF_FIXTURES } from '../../../../test/support/sif-fixtures.js';
import { World } from '../testing/world.js';
import { globalSource } from './verification-keys.js';

let world: World;
beforeEach(async () => {
  world = await World.create();
  await copyFile(join(SIF_FIXTURES, 'images/unsigned.sif'), world.path('image.sif'));
});
afterEach(() => world.close());

const day = (offset: number) =>
  `${new Date(Date.now() + offset * 86_400_000).toISOString().slice(0, 19).replaceAll(/[-:T]/g, '')}Z`;

describe('verify with a certificate', () => {
  async function signed(answer: OcspAnswerOptions = {}) {
    const asked: (string | undefined)[] = [];
    const lifetime = { from: '2020-01-01T00:00:00Z', until: '2099-01-01T00:00:00Z' };
    const root = await testCertificate({ name: 'Root', authority: true, ...lifetime });
    const responder = await world.serve(async (request, response) => {
      asked.push(`${request.method} ${request.headers['content-type']} ${request.headers.authorization}`);
      response.end(await ocspAnswer(leaf, root, { thisUpdate: day(-1), nextUpdate: day(1), ...answer }));
    });
    const leaf = await testCertificate({
      name: 'Ann',
      issuer: root,
      usages: [CODE_SIGNING],
      ocsp: `${responder}/`,
      ...lifetime,
    });
    await writeFile(world.path('root.pem'), root.pem);
    await writeFile(world.path('ann.pem'), leaf.pem);
    await writeFile(world.path('ann.key'), await privateKeyPem(leaf));
    await world.ok(['sign', '--key', 'ann.key', 'image.sif']);
    return asked;
  }
  const verify = (...flags: string[]) =>
    world.run([
      'verify',
      '--certificate',
      'ann.pem',
      '--certificate-roots',
      'root.pem',
      ...flags,
      'image.sif',
    ]);

  it('trusts it, and asks nobody about it', async () => {
    const asked = await signed();
    const { status, stderr, stdout } = await verify();
    expect([status, asked]).toEqual([0, []]);
    expect(stderr).toContain("Verifying image with key material from certificate 'ann.pem'");
    expect(stdout).toMatch(/^Objects verified:/);
  });

  it('does not trust it by the authorities of this machine', async () => {
    await signed();
    const { status, stderr } = await world.run(['verify', '--certificate', 'ann.pem', 'image.sif']);
    expect([status, stderr]).toEqual([
      255,
      expect.stringContaining('x509: certificate signed by unknown authority'),
    ]);
  });

  it('takes its files from the environment, as the stock program', async () => {
    await signed();
    const env = { SINGULARITY_VERIFY_CERTIFICATE: 'ann.pem', SINGULARITY_VERIFY_ROOTS: 'root.pem' };
    expect((await world.ok(['verify', 'image.sif'], { env })).stderr).toContain("from certificate 'ann.pem'");
  });

  it('asks its responder with --ocsp-verify, without a token', async () => {
    const asked = await signed();
    expect((await verify('--ocsp-verify')).status).toBe(0);
    expect(asked).toEqual(['POST application/ocsp-request undefined']);
  });

  it('refuses one that was revoked, and one about which nothing is known', async () => {
    await signed({ status: ocspRevoked('20261101000000Z') });
    const revoked = await verify('--ocsp-verify');
    expect([revoked.status, revoked.stderr]).toEqual([
      255,
      expect.stringContaining('x509: certificate revoked: CN=Ann'),
    ]);
    await signed({ thisUpdate: day(-3), nextUpdate: day(-2) });
    const old = await verify('--ocsp-verify');
    expect([old.status, old.stderr]).toEqual([255, expect.stringContaining('is too old')]);
  });

  it('takes either a key or a certificate, a group or an object', async () => {
    for (const flags of [
      ['--key', 'ann.pem', '--certificate', 'ann.pem'],
      ['--group-id', '1', '--sif-id', '1'],
    ])
      expect((await world.run(['verify', ...flags, 'image.sif'])).status).toBe(1);
  });
});

describe('the key ring of the installation', () => {
  const log = { warning: () => undefined } as never;
  const find = async (folder: string) => (await globalSource({ log }, folder))?.find('A4E241FB667D1318');
  const ring = () => world.path('etc/global-pgp-public');
  beforeEach(async () => {
    await mkdir(world.path('etc'));
    await world.ok(['key', 'import', 'keys/test-key-a.pub.asc'], { cwd: SIF_FIXTURES });
    await writeFile(ring(), await readFile(world.path('.singularity/sypgp/pgp-public')));
  });

  it('is asked where there is one', async () => {
    expect(await find(world.path('etc'))).toHaveLength(1);
    expect(await globalSource({ log }, world.path('nothing'))).toBeUndefined();
    expect(await globalSource({ log }, world.path('etc'))).toMatchObject({ origin: 'global' });
  });

  it('is not used when others could have written it', async () => {
    await chmod(ring(), 0o666);
    await expect(find(world.path('etc'))).rejects.toThrow('must not be writable by group or others');
    await mkdir(world.path('linked'));
    await symlink(ring(), world.path('linked/global-pgp-public'));
    await expect(find(world.path('linked'))).rejects.toThrow('must be a regular file');
  });
});
