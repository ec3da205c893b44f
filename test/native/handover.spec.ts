import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { makeImage, ordinaryId, PROGRAM, skipContainers } from '../support/containers.js';
import { temporaryFolder } from '../support/temporary.js';

const NODE_PACKAGE = `node-linux-${process.arch}`;
const asUser = process.getuid?.() === 0 ? { uid: ordinaryId(), gid: ordinaryId() } : {};

/** A command line for Node that says how it was started, and can go back to the native program. */
const ECHO = `
const { spawnSync } = require('node:child_process');
const words = process.argv.slice(2);
if (words[0] === 'back') process.exit(spawnSync(process.env.PROGRAM, words.slice(1), { stdio: 'inherit' }).status);
const { execArgv, env } = process;
process.stdout.write(JSON.stringify({ words, execArgv, env, node: process.execPath }));`;

const Told = z.object({
  words: z.array(z.string()),
  execArgv: z.array(z.string()),
  env: z.record(z.string(), z.string()),
  node: z.string(),
});

// What is not for the native program becomes Node, and what a user's environment does to Node programs does not happen to this one.
describe.skipIf(skipContainers())('verbs of Node', () => {
  let folder = '';
  let program = '';
  let image = '';
  let remove = async (): Promise<void> => undefined;
  beforeAll(async () => {
    ({ path: folder, remove } = await temporaryFolder());
    image = makeImage(folder);
    const build = join(folder, 'addon/build');
    mkdirSync(build, { recursive: true });
    for (const name of ['sing', 'sh']) copyFileSync(join(PROGRAM, '..', name), join(build, name));
    program = join(build, 'sing');
    mkdirSync(join(folder, 'dist/cli'), { recursive: true });
    writeFileSync(join(folder, 'dist/cli/sing.cjs'), ECHO);
    mkdirSync(join(folder, 'node_modules', NODE_PACKAGE, 'bin'), { recursive: true });
    copyFileSync(process.execPath, join(folder, 'node_modules', NODE_PACKAGE, 'bin/node'));
    chmodSync(join(folder, 'node_modules', NODE_PACKAGE, 'bin/node'), 0o755);
    mkdirSync(join(folder, 'bin'));
    symlinkSync('../addon/build/sing', join(folder, 'bin/sing'));
  });
  afterAll(() => remove());

  const run = (
    words: readonly string[],
    env: Readonly<Record<string, string>> = {},
    file = program,
  ): SpawnSyncReturns<string> =>
    spawnSync(file, words, {
      cwd: '/',
      encoding: 'utf8',
      env: { HOME: '/var/tmp', PATH: '/usr/bin:/bin', PROGRAM: program, ...env },
      ...asUser,
    });
  const told = (
    words: readonly string[],
    env?: Readonly<Record<string, string>>,
    file?: string,
  ): z.infer<typeof Told> => {
    const { stdout, ...ended } = run(words, env, file);
    expect(ended).toMatchObject({ status: 0, signal: null, stderr: '' });
    return Told.parse(JSON.parse(stdout));
  };

  it.each([
    [['pull', 'a b', '']],
    [['help', 'exec']],
    [['-q', 'key', 'list']],
    [[]],
    [['--config', 'exec', 'remote', 'list']],
  ])('%j goes to Node with the same words', (words) => {
    expect(told(words)).toMatchObject({
      words,
      execArgv: [],
      node: join(folder, 'node_modules', NODE_PACKAGE, 'bin/node'),
    });
  });

  it('an image that is a URL goes to Node with the same words', () => {
    const words = ['exec', '-B', '/etc:/mnt', 'library://a/b/c:1', 'cat'];
    expect(told(words).words).toEqual(words);
  });

  it('finds its parts through a link, as bin/sing is one', () => {
    expect(told(['pull'], {}, join(folder, 'bin/sing')).words).toEqual(['pull']);
  });

  it('variables that steer Node, its TLS or the loader are set aside under other names', () => {
    const hostile = {
      NODE_OPTIONS: '--require=/nonexistent.js',
      NODE_EXTRA_CA_CERTS: '/ca.pem',
      NODE_PATH: '/p',
      LD_PRELOAD: '/nonexistent.so',
      LD_LIBRARY_PATH: '/l',
      OPENSSL_CONF: '/o',
      UV_THREADPOOL_SIZE: '1',
    };
    const { env } = told(['pull'], { ...hostile, NODELESS: 'kept', SING_X: '1' });
    expect(Object.keys(env).filter((name) => name in hostile)).toEqual([]);
    expect(env).toMatchObject({
      SING_KEPT_NODE_EXTRA_CA_CERTS: '/ca.pem',
      SING_KEPT_NODE_OPTIONS: '--require=/nonexistent.js',
      NODELESS: 'kept',
      SING_X: '1',
    });
  });

  it('and the payload has them again, also after a way through Node', () => {
    const words = [
      'exec',
      image,
      'sh',
      '-c',
      'echo "$NODE_OPTIONS|$LD_PRELOAD|$NODE_PATH"; env | grep -c SING_KEPT',
    ];
    const env = { NODE_OPTIONS: '--require=/nonexistent.js', LD_PRELOAD: '/nonexistent.so', NODE_PATH: '/p' };
    for (const way of [words, ['back', ...words]])
      expect(run(way, env).stdout).toBe('--require=/nonexistent.js|/nonexistent.so|/p\n0\n');
  });

  it('version and --version are answered without Node', () => {
    const { version } = z
      .object({ version: z.string() })
      .parse(JSON.parse(readFileSync('package.json', 'utf8')));
    expect(run(['version'])).toMatchObject({ status: 0, stdout: `${version}\n` });
    expect(run(['--version'])).toMatchObject({ status: 0, stdout: `sing version ${version}\n` });
  });

  it('called run-singularity it runs the image, as the first line of a SIF file asks', () => {
    symlinkSync(program, join(folder, 'run-singularity'));
    const ended = run([image, '-c', 'echo "$0 $1"', 'x'], {}, join(folder, 'run-singularity'));
    expect(ended).toMatchObject({ status: 0, stdout: 'x \n' });
  });

  it('a missing command line or Node is a sentence with what to do', () => {
    rmSync(join(folder, 'dist/cli/sing.cjs'));
    expect(run(['pull'])).toMatchObject({
      status: 255,
      stderr: expect.stringContaining('npm run build:cli'),
    });
    rmSync(join(folder, 'node_modules'), { recursive: true });
    expect(run(['pull'])).toMatchObject({ status: 255, stderr: expect.stringContaining('npm ci') });
  });

  it.skipIf(process.getuid?.() !== 0)(
    'root reads an image in a folder that only its owner may enter, although the planner has no capabilities',
    () => {
      const closed = join(resolve(folder), 'closed');
      mkdirSync(closed, { mode: 0o700 });
      const inner = makeImage(join(closed));
      chmodSync(closed, 0o700);
      spawnSync('chown', ['-R', String(ordinaryId()), closed]);
      const ended = spawnSync(
        PROGRAM,
        ['-q', 'exec', inner, 'sh', '-c', 'id -u; grep CapEff /proc/self/status'],
        { cwd: '/', encoding: 'utf8', env: { HOME: '/root', PATH: '/bin' } },
      );
      expect(ended.stdout).toMatch(/^0\nCapEff:\t0*1f+/);
    },
  );
});
