import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { skipContainers } from '../support/containers.js';
import { FakeRegistry } from '../support/fake-registry.js';
import { processesWith } from '../support/processes.js';
import { sifFixture } from '../support/sif-fixtures.js';
import { temporaryFolder } from '../support/temporary.js';

/** The program as people start it: it hands over to Node, which fetches and hands back. */
const SING = resolve(import.meta.dirname, '../../bin/sing');

describe.skipIf(skipContainers())('an image that is fetched first', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let registry: FakeRegistry;
  let server: Server;
  let host: string;
  beforeEach(async () => {
    folder = await temporaryFolder();
    registry = new FakeRegistry();
    registry.addSif('group/hello', '1', sifFixture('images/unsigned.sif'));
    server = createServer((request, response) => void registry.handler(request, response));
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(async () => {
    server.closeAllConnections();
    server.close();
    await folder.remove();
  });

  const sing = async (words: readonly string[], env: Readonly<Record<string, string>> = {}) => {
    const child = spawn(SING, words, {
      cwd: folder.path,
      env: {
        HOME: folder.path,
        PATH: '/usr/bin:/bin',
        TERM: 'dumb',
        SCS_HOME: join(folder.path, 'none'),
        SING_NOHTTPS: '1',
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const ended = new Promise<number | null>((done) => child.once('close', done));
    const [stdout, stderr, status] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
    return { stdout, stderr, status };
  };
  const fetched = () =>
    registry.lines.filter((line) => line.startsWith('GET') && line.includes('/blobs/')).length;

  it('from a registry runs, from then on out of the cache', async () => {
    const words = [
      'exec',
      '--docker-username',
      'ann',
      '--docker-password',
      'x',
      `oras://${host}/group/hello:1`,
      '/bin/hello',
    ];
    const first = await sing(words);
    expect(first).toMatchObject({ status: 0, stderr: expect.stringContaining('Downloading') });
    expect(first.stdout).not.toBe('');
    expect(await sing(words)).toEqual({ status: 0, stdout: first.stdout, stderr: '' });
    expect(fetched()).toBe(1);
    // What the environment says of the fetching holds for the verbs that start something, too.
    const cache = (): unknown =>
      readdirSync(join(folder.path, '.singularity'), { recursive: true, encoding: 'utf8' }).map((path) => {
        const { mtimeMs, size, ino } = statSync(join(folder.path, '.singularity', path));
        return [path, mtimeMs, size, ino];
      });
    const before = cache();
    const temporary = join(folder.path, 'temporary');
    mkdirSync(temporary);
    const uncached = { SINGULARITY_DISABLE_CACHE: 'true', SINGULARITY_TMPDIR: temporary };
    const anew = await sing(words, uncached);
    expect(anew).toMatchObject({
      status: 0,
      stdout: first.stdout,
      stderr: expect.stringContaining('Downloading'),
    });
    expect(cache()).toEqual(before);
    expect(readdirSync(temporary)).toEqual([]);
    const refused = await sing(
      ['exec', '--disable-cache', '--nv', `oras://${host}/group/hello:1`, '/bin/hello'],
      uncached,
    );
    expect([refused.status, refused.stderr]).toEqual([255, expect.stringContaining('--nv is not offered')]);
    expect(readdirSync(temporary)).toEqual([]);
    const wrong = await sing(words, { SINGULARITY_DISABLE_CACHE: 'yes' });
    expect([wrong.status, wrong.stderr]).toEqual([255, expect.stringContaining('disable-cache')]);
  });

  it('from a registry runs in the background, without the password among its words', async () => {
    const flags = ['--docker-username', 'ann', '--docker-password', 'its-password'];
    const words = ['instance', 'start', ...flags, `oras://${host}/group/hello:1`, 'one', 'word'];
    expect(await sing(words)).toMatchObject({
      status: 0,
      stderr: expect.stringContaining('instance started successfully'),
    });
    expect(processesWith('its-password')).toEqual([]);
    expect(await sing(['exec', 'instance://one', '/bin/hello'])).toMatchObject({ status: 0, stderr: '' });
    expect(await sing(['instance', 'stop', 'one'])).toMatchObject({ status: 0 });
  });

  it('from an address runs', async () => {
    const { stdout, status } = await sing([
      'exec',
      `http://${host}/v2/group/hello/blobs/${[...registry.blobs.keys()][0]}`,
      '/bin/hello',
    ]);
    expect(status).toBe(0);
    expect(stdout).not.toBe('');
  });

  it('that cannot be fetched starts nothing, with status 255', async () => {
    const { status, stderr } = await sing(['run', `oras://${host}/group/hello:2`]);
    expect([status, stderr]).toEqual([255, expect.stringContaining('The registry does not have it')]);
  });
});
