import { KeystoreModule } from '#apps/keystore/src/keystore.module';
import type { ImageDetails, LibraryImage, ManagedEntity, SignaturesAnswer } from '#libs/contract';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addKey, newTestKey, type TestKey } from '../../support/pgp-keys.js';
import { signedBy } from './signed-images.js';
import { type SingLibrary, startSingLibrary } from './sing-library.js';
import { hashOf, testImage } from './world.js';

const PLACE = 'tester/tools/blast';
const DEFINITION = 'Bootstrap: docker\nFrom: alpine\n';

type Shown = LibraryImage & SignaturesAnswer['data'] & ImageDetails;

/** What `sing library` says of images, and who must have signed them. */
describe('sing library, of images', () => {
  let scene: SingLibrary;
  let ann: TestKey;
  let image: Buffer;
  beforeAll(async () => {
    scene = await startSingLibrary({
      modules: { keystore: KeystoreModule },
      limits: { keyChangesInterval: 50, keystoreRetry: 50, keystoreRetryLongest: 100 },
    });
    ann = await newTestKey('Ann');
    await addKey(scene.app, ann.armored, scene.token);
    const says = { labels: { version: '2.16', author: 'Ann' }, helpfile: 'blastn -help' };
    image = await signedBy(await testImage({ says, definition: DEFINITION }), ann);
    await scene.client.push(PLACE, image, { tags: ['v1', 'stable'], description: 'BLAST+, as released' });
    await scene.client.push(PLACE, await testImage({ arch: 'arm64' }), { tags: ['bare'], arch: 'arm64' });
  });
  afterAll(() => scene.stop());

  const shown = async (...words: string[]): Promise<Shown> => {
    const { images } = await scene.json<{ images: Shown[] }>('show', ...words);
    return images[0] ?? expect.fail('nothing is shown');
  };
  const key = (): string => ann.fingerprint.toUpperCase();

  it('shows one by its tag and by its hash, with what its signatures are worth', async () => {
    const amd64 = ['--arch', 'amd64'];
    await expect.poll(() => shown(`${PLACE}:v1`, ...amd64)).toMatchObject({ due: false });
    expect(await shown(`${PLACE}:v1`, ...amd64)).toMatchObject({
      hash: hashOf(image),
      tags: ['stable', 'v1'],
      signers: [ann.fingerprint],
      signatures: [{ state: 'good', fingerprint: ann.fingerprint }],
      labels: expect.arrayContaining([{ name: 'version', value: '2.16' }]),
      help: 'blastn -help',
      definition: DEFINITION,
    });
    const { stdout } = await scene.ok('show', `library://${PLACE}:${hashOf(image)}`);
    expect(stdout).toContain(`Image:         library://${PLACE}:${hashOf(image)}\n`);
    expect(stdout).toContain('Description:   BLAST+, as released\n');
    expect(stdout).toMatch(/\nTags: +stable, v1\nArchitecture: +amd64\n/);
    expect(stdout).toContain(`Signed by:     ${key()}\n`);
    expect(stdout).toMatch(new RegExp(`\n\\d+ +1 +good +\\S+ +${key()}\n`));
    expect(stdout).toMatch(/\nLABEL +VALUE\n/);
    expect(stdout).toMatch(/\nHelp:\nblastn -help\n\nDefinition:\nBootstrap: docker\nFrom: alpine\n$/);
  });

  it('prints the definition alone, and says so where there is none', async () => {
    const { stdout } = await scene.ok('show', '--definition', `${PLACE}:v1`, '--arch', 'amd64');
    expect(stdout).toBe(DEFINITION);
    const none = await scene.library(['show', '--definition', `${PLACE}:bare`, '--arch', 'arm64']);
    expect([none.status, none.stderr]).toEqual([255, expect.stringContaining('has no definition in it')]);
  });

  it('goes by the architecture, and shows what nobody has signed', async () => {
    const other = await scene.library(['show', `${PLACE}:bare`, '--arch', 'amd64']);
    expect([other.status, other.stderr]).toEqual([
      255,
      expect.stringMatching(/There is no image .*:bare for amd64\n.* sing library list tester\/tools\/blast/),
    ]);
    const { stdout } = await scene.ok('show', `${PLACE}:bare`, '--arch', 'arm64');
    expect(stdout).toMatch(/\nSigned by: +nobody\n$/);
  });

  it('asks for signers on push and on pull, each by itself', async () => {
    const rule = async (): Promise<ManagedEntity['requiredSigners']> =>
      (await scene.json<{ entities: ManagedEntity[] }>('show', 'tester')).entities[0]?.requiredSigners ??
      null;
    const spaced = key().replaceAll(/(.{4})/g, '$1 ');
    await scene.ok('set', 'tester', '--signers-push', spaced);
    await scene.ok('set', 'tester', '--signers-pull', key());
    const signers = [ann.fingerprint];
    expect(await rule()).toEqual({ push: signers, pull: signers });
    expect((await scene.ok('show', 'tester')).stdout).toContain(`Signed on pull:  by ${key()}\n`);
    const refused = await scene.library(['show', `${PLACE}:bare`, '--arch', 'arm64']);
    expect(refused).toMatchObject({ status: 0, stdout: expect.stringContaining('arm64') });
    expect(refused.stderr).toContain('may be pulled from tester: this one is not signed');
    await scene.ok('set', 'tester', '--signers-none', '--signers-push', key());
    expect(await rule()).toEqual({ push: signers });
    await scene.ok('set', 'tester', '--signers-none');
    expect(await rule()).toBe(null);
    const short = await scene.library(['set', 'tester', '--signers-push', key().slice(-16)]);
    expect([short.status, short.stderr]).toEqual([255, expect.stringContaining('40 hexadecimal digits')]);
  });
});
