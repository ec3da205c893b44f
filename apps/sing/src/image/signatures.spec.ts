import { generateKeyPairSync } from 'node:crypto';
import { copyFile, open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SIF_FIXTURES } from '../../../../test/support/sif-fixtures.js';
import { World } from '../testing/world.js';

let world: World;
beforeEach(async () => {
  world = await World.create();
  await copyFile(join(SIF_FIXTURES, 'images/unsigned.sif'), world.path('image.sif'));
});
afterEach(() => world.close());

const newpair = async (email: string, password = '') =>
  (
    await world.ok(['key', 'newpair', '-N', 'Ann', '-E', email, '-P', password, '--algorithm', 'ed25519'])
  ).stdout.trim();

describe('sign and verify', () => {
  it('with an OpenPGP key: verify names the signer', async () => {
    const fingerprint = await newpair('ann@example.org');
    const signed = await world.ok(['sign', 'image.sif']);
    expect(signed.stderr).toContain("Signature created and applied to image 'image.sif'");
    const { stdout, stderr } = await world.ok(['verify', '--local', 'image.sif']);
    expect(stdout).toContain('[LOCAL]            Signing entity: Ann <ann@example.org>');
    expect(stdout).toContain(`Fingerprint: ${fingerprint}`);
    expect(stderr).toContain("Verified signature(s) from image 'image.sif'");
  });

  it('with --json say for each object who signed it', async () => {
    const fingerprint = await newpair('ann@example.org');
    await world.ok(['sign', 'image.sif']);
    const { stdout } = await world.ok(['verify', '--local', '--json', 'image.sif']);
    expect(JSON.parse(stdout)).toMatchObject({
      Signatures: 1,
      SignerKeys: expect.arrayContaining([
        {
          Signer: expect.objectContaining({
            Fingerprint: fingerprint.toLowerCase(),
            DataCheck: true,
          }) as object,
        },
      ]) as object,
    });
  });

  it('with a PEM key', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    await writeFile(world.path('key.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
    await writeFile(world.path('pub.pem'), publicKey.export({ type: 'spki', format: 'pem' }));
    await world.ok(['sign', '--key', 'key.pem', 'image.sif']);
    await world.ok(['verify', '--key', 'pub.pem', 'image.sif']);
    expect((await world.run(['verify', '--local', 'image.sif'])).status).toBe(255);
  });

  it('with a PEM key that has a passphrase', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    const locked = { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'secret' } as const;
    await writeFile(world.path('key.pem'), privateKey.export(locked));
    await writeFile(world.path('pub.pem'), publicKey.export({ type: 'spki', format: 'pem' }));
    await writeFile(world.path('right'), 'secret\n');
    await writeFile(world.path('wrong'), 'other\n');
    expect((await world.run(['sign', '--key', 'key.pem', 'image.sif'])).stderr).toContain(
      '--passphrase-file FILE',
    );
    const wrong = await world.run(['sign', '--key', 'key.pem', '--passphrase-file', 'wrong', 'image.sif']);
    expect([wrong.status, wrong.stderr]).toEqual([255, expect.stringContaining('does not open')]);
    await world.ok(['sign', '--key', 'key.pem', '--passphrase-file', 'right', 'image.sif']);
    await world.ok(['verify', '--key', 'pub.pem', 'image.sif']);
  });

  it('asks the key server for a key that is not here, and does not keep it', async () => {
    const fingerprint = await newpair('ann@example.org');
    await world.ok(['sign', 'image.sif']);
    await world.ok(['key', 'export', '--armor', 'ann.asc']);
    const armor = await readFile(world.path('ann.asc'), 'utf8');
    await world.ok(['key', 'remove', fingerprint]);
    let asked = '';
    const site = await world.site((request, response) => {
      asked = request.url ?? '';
      response.end(armor);
    });
    await world.ok(['remote', 'add', '-i', '--no-login', 'lab', site]);
    const { stdout } = await world.ok(['verify', 'image.sif']);
    expect(stdout).toContain('[REMOTE]');
    expect(asked).toBe(`/pks/lookup?exact=on&op=get&search=0x${fingerprint.slice(-16).toLowerCase()}`);
    expect((await world.run(['verify', '--local', 'image.sif'])).status).toBe(255);
  });

  it('fails with 255 for an image that nobody signed, and one that was changed', async () => {
    const unsigned = await world.run(['verify', '--local', 'image.sif']);
    expect(unsigned.status).toBe(255);
    expect(unsigned.stderr).toContain('signature not found for object group 1');

    await newpair('ann@example.org');
    await world.ok(['sign', 'image.sif']);
    const list = JSON.parse((await world.ok(['sif', 'list', '--json', 'image.sif'])).stdout) as {
      objects: { id: number; offset: number; size: number }[];
    };
    const last = list.objects.at(-2);
    const file = await open(world.path('image.sif'), 'r+');
    await file.write(Buffer.from([0xff]), 0, 1, (last?.offset ?? 0) + 5);
    await file.close();
    const changed = await world.run(['verify', '--local', '--json', 'image.sif']);
    expect(changed.status).toBe(255);
    expect(JSON.parse(changed.stderr.split('\n').at(-2) ?? '')).toMatchObject({
      error: { message: expect.stringContaining('integrity compromised') as string },
    });
    expect(JSON.parse(changed.stdout)).toMatchObject({ Signatures: 1 });
  });
});

describe('the key to sign with', () => {
  it('must exist', async () => {
    const { status, stderr } = await world.run(['sign', 'image.sif']);
    expect([status, stderr]).toEqual([255, expect.stringContaining('sing key newpair')]);
  });

  it('of several is named, by number or by what it is called', async () => {
    await newpair('ann@example.org');
    await newpair('bob@example.org');
    expect((await world.run(['sign', 'image.sif'])).stderr).toContain('Answer with --fingerprint KEY');
    await world.ok(['sign', '--fingerprint', 'bob@example.org', 'image.sif']);
    expect((await world.ok(['verify', '-l', 'image.sif'])).stdout).toContain('bob@example.org');
    expect((await world.run(['sign', '--keyidx', '7', 'image.sif'])).stderr).toContain('from 0 to 1');
  });

  it('is unlocked by a passphrase from a file; a wrong one changes nothing', async () => {
    await newpair('ann@example.org', 'secret');
    await writeFile(world.path('wrong'), 'other\n');
    await writeFile(world.path('right'), 'secret\n');
    const before = await readFile(world.path('image.sif'));
    expect((await world.run(['sign', '--passphrase-file', 'wrong', 'image.sif'])).status).toBe(255);
    expect((await readFile(world.path('image.sif'))).equals(before)).toBe(true);
    await world.ok(['sign', '--passphrase-file', 'right', 'image.sif']);
  });

  it('and its passphrase may come by a pipe, as scripts for the stock programs send them', async () => {
    await newpair('ann@example.org');
    await newpair('bob@example.org', 'secret');
    expect((await world.run(['sign', 'image.sif'], { stdin: '1\nother\n' })).status).toBe(255);
    await world.ok(['sign', 'image.sif'], { stdin: '1\nsecret\n' });
    expect((await world.ok(['verify', '-l', 'image.sif'])).stdout).toContain('bob@example.org');
  });
});
