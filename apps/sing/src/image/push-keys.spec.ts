import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { noPrompts } from '#libs/cli';
import { SIF_FIXTURES, sifFixture } from '../../../../test/support/sif-fixtures.js';
import { TinyLibrary } from '../testing/tiny-library.js';
import { bodyOf, World } from '../testing/world.js';

const TARGET = 'library://demo/new/image:1';

let world: World;
let library: TinyLibrary;
/** Key blocks that the keystore was given. */
let added: string[];
/** Status of the answer to a look-up, and to a push. */
let lookup: number;
let add: number;
let fingerprint: string;
beforeEach(async () => {
  world = await World.create();
  library = new TinyLibrary(sifFixture('images/unsigned.sif'));
  added = [];
  lookup = 404;
  add = 200;
  const site = await world.site(async (request, response) => {
    if (request.url?.startsWith('/v1/keys/changes') === true) return response.writeHead(404).end('{}');
    if (request.url?.startsWith('/pks/lookup') === true) return response.writeHead(lookup).end('key');
    if (request.url !== '/pks/add') return library.handler(request, response);
    added.push(
      `${request.headers.authorization} ${new URLSearchParams(await bodyOf(request)).get('keytext')}`,
    );
    return response.writeHead(add).end('{"error":{"code":403,"message":"needs keystore:write"}}');
  });
  await world.instance({ url: site, token: 'TOKEN' });
  await copyFile(join(SIF_FIXTURES, 'images/unsigned.sif'), world.path('image.sif'));
  const words = ['-N', 'Ann', '-E', 'ann@example.org', '-P', '', '--algorithm', 'ed25519'];
  fingerprint = (await world.ok(['key', 'newpair', ...words])).stdout.trim();
  await world.ok(['sign', 'image.sif']);
});
afterEach(() => world.close());

const push = (words: string[] = [], options = {}) =>
  world.run(['push', ...words, 'image.sif', TARGET], options);
const json = async (words: string[] = []) => {
  const { stdout } = await world.ok(['push', '--json', ...words, 'image.sif', TARGET]);
  return (JSON.parse(stdout) as { images: object[] }).images[0];
};

describe('push of a signed image', () => {
  it('says that others find the key of the signer', async () => {
    lookup = 200;
    const { stderr, status } = await push(['--with-key']);
    expect([status, stderr]).toEqual([0, expect.stringContaining('Others find the key of Ann')]);
    expect(added).toEqual([]);
    expect(await json()).toMatchObject({
      verified: true,
      signers: [{ fingerprint, userId: 'Ann <ann@example.org>', inKeystore: true, keyPushed: false }],
    });
  });

  it('warns when they do not, and says what helps; a script is asked nothing', async () => {
    const { status, stderr } = await push();
    expect([status, stderr]).toEqual([0, expect.stringContaining('does not have the key of Ann')]);
    expect(stderr).toContain(`sing key push ${fingerprint}`);
    expect([added, library.uploads.length]).toEqual([[], 1]);
    expect(await json()).toMatchObject({ signers: [{ fingerprint, inKeystore: false, keyPushed: false }] });
  });

  it('asks a person', async () => {
    const answer = (yes: boolean) => ({ prompts: { ...noPrompts, confirm: () => Promise.resolve(yes) } });
    expect((await push([], answer(false))).stderr).toContain('does not have the key of Ann');
    expect(added).toEqual([]);
    expect((await push([], answer(true))).stderr).toContain('Public key of Ann');
    expect(added).toHaveLength(1);
  });

  it('pushes the public key with --with-key, and nothing private', async () => {
    expect(await json(['--with-key'])).toMatchObject({
      signers: [{ fingerprint, inKeystore: true, keyPushed: true }],
    });
    expect(added).toEqual([expect.stringContaining('Bearer TOKEN -----BEGIN PGP PUBLIC KEY BLOCK-----')]);
    expect(added[0]).not.toContain('PRIVATE');
  });

  it('sends no image when a key that was to be pushed could not be', async () => {
    add = 403;
    const { status, stderr } = await push(['--with-key']);
    expect([status, stderr]).toEqual([255, expect.stringContaining('was not pushed, and no image')]);
    expect(stderr).toContain('keystore:write');
    expect(library.uploads).toEqual([]);
  });

  it('goes on without a keystore that answers', async () => {
    lookup = 500;
    const { status, stderr } = await push();
    expect([status, stderr]).toEqual([0, expect.stringContaining('is not known')]);
    expect(await json()).toMatchObject({ signers: [{ inKeystore: null }] });
  });
});

describe('push of an image without a good signature', () => {
  it('with --allow-unsigned says that nothing was looked at', async () => {
    const { stderr } = await push(['-U']);
    expect(stderr).toContain('WARNING: Skipping container verification');
    expect(await json(['-U'])).toMatchObject({ verified: false, signers: [] });
    expect((await push(['-U', '--with-key'])).status).toBe(1);
  });
});
