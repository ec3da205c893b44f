import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { KeystoreModule } from '#apps/keystore/src/keystore.module';
import { World as Person } from '#apps/sing/src/testing/world';
import { WebModule } from '#apps/web/src/web.module';
import { signedImage } from '../http/library/signed-images.js';
import { hashOf, startLibrary, testImage, type World } from '../http/library/world.js';
import { stockClient } from '../support/go-tools.js';
import { lacking, skipped } from '../support/needs.js';
import { addKey, newTestKey, type TestKey } from '../support/pgp-keys.js';
import { temporaryFolder } from '../support/temporary.js';

/* What people see when an entity takes in, or gives out, only what somebody has signed: with the stock programs and with ours. */

const noGo = lacking('go', 'flock');
const WAIT = { interval: 50, timeout: 10_000 };

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let world: World;
let ann: TestKey;
/** Files. */
let signed: string;
let unsigned: string;
/** What is said, up to the reason. */
let rule: (verb: string) => string;
beforeAll(async () => {
  folder = await temporaryFolder();
  world = await startLibrary({
    modules: [KeystoreModule, WebModule],
    env: { SCS_SERVICES: 'library,keystore,web', SCS_BUILDER_URL: 'https://localhost:1' },
  });
  ann = await newTestKey('Ann');
  await addKey(world.app, ann.armored, world.tester.token ?? '');
  [signed, unsigned] = [join(folder.path, 'signed.sif'), join(folder.path, 'unsigned.sif')];
  await writeFile(signed, await signedImage(ann));
  await writeFile(unsigned, await testImage());
  const id = ann.fingerprint.slice(-16).toUpperCase();
  rule = (verb) => `Only images signed by ${id} may be ${verb} tester: this one is not signed`;
  // Of before there was a rule.
  await world.tester.push('tester/tools/old', await testImage(), { tags: ['v1'] });
  const requiredSigners = { push: [ann.fingerprint], pull: [ann.fingerprint] };
  await world.tester.send('PATCH', '/v1/manage/entities/tester', { requiredSigners });
}, 60_000);
afterAll(async () => {
  await world.stop();
  await folder.remove();
});

describe.skipIf(noGo)(`the Go client of singularity and apptainer${skipped(noGo)}`, () => {
  let program: string;
  beforeAll(async () => {
    program = await stockClient();
  }, 600_000);

  const library = async (token: string | undefined, ...words: string[]) => {
    const ca = join(folder.path, 'ca.pem');
    await writeFile(ca, world.app.ca);
    const env = { PATH: process.env['PATH'] ?? '', SSL_CERT_FILE: ca, TOKEN: token ?? '' };
    const [verb = '', ...rest] = words;
    return promisify(execFile)(program, ['library', verb, world.app.url, ...rest], { env }).then(
      () => '',
      (error: unknown) => (error as { stderr: string }).stderr,
    );
  };

  it('shows why a push is refused, and pushes what is signed', async () => {
    const push = (file: string) =>
      library(world.tester.token, 'push', file, 'tester/tools/go', 'amd64', 'v1');
    expect(await push(unsigned)).toContain(`${rule('pushed to')} (403 Forbidden)`);
    expect(await push(signed)).toBe('');
  });

  it('shows why a pull is refused, with and without a token, and pulls what is signed', async () => {
    await library(world.tester.token, 'push', signed, 'tester/tools/go', 'amd64', 'v1');
    const file = join(folder.path, 'pulled.sif');
    for (const token of [undefined, world.tester.token]) {
      const pull = (container: string) =>
        library(token, 'pull', file, `tester/tools/${container}`, 'amd64', 'v1');
      expect(await pull('old')).toContain(`${rule('pulled from')} (403 Forbidden)`);
      expect(await pull('go')).toBe('');
      expect(await readFile(file)).toEqual(await readFile(signed));
    }
  });
});

describe('sing', () => {
  let person: Person;
  beforeAll(async () => {
    person = await Person.create();
    await person.instance({ url: world.app.url, token: world.tester.token ?? '', ca: world.app.ca });
  });
  afterAll(() => person.close());

  it('shows why a push is refused, and what helps', async () => {
    const refused = await person.run([
      'push',
      '--allow-unsigned',
      unsigned,
      'library://tester/tools/sing:v1',
    ]);
    expect(refused.status).not.toBe(0);
    expect(refused.stderr).toContain(rule('pushed to'));
    expect(refused.stderr).toContain('sing sign');
  });

  it('shows why a pull is refused', async () => {
    const refused = await person.run([
      'pull',
      '--arch',
      'amd64',
      person.path('old.sif'),
      'library://tester/tools/old:v1',
    ]);
    expect(refused.status).not.toBe(0);
    expect(refused.stderr).toContain(rule('pulled from'));
    // Also where the record is asked for by its hash, by somebody who may push.
    const { body } = await world.tester.get('/v1/manage/images/tester/tools/old');
    const hash = (body.data as { hash: string }[])[0]?.hash ?? '';
    const byHash = await person.run([
      'pull',
      '--arch',
      'amd64',
      person.path('hash.sif'),
      `library://tester/tools/old:${hash}`,
    ]);
    expect(byHash.status).not.toBe(0);
    expect(byHash.stderr).toContain(rule('pulled from'));
  });

  it('pushes and pulls what is signed', async () => {
    const bytes = await readFile(signed);
    await person.ok(['push', '--allow-unsigned', signed, 'library://tester/tools/sing:v1']);
    await vi.waitFor(async () => {
      const { body } = await world.anonymous.get(`/v1/manage/signatures/tester/tools/sing/${hashOf(bytes)}`);
      expect(body.data.signers).toEqual([ann.fingerprint]);
    }, WAIT);
    await person.ok(['pull', '--arch', 'amd64', person.path('new.sif'), 'library://tester/tools/sing:v1']);
    expect(await readFile(person.path('new.sif'))).toEqual(bytes);
  });
});
