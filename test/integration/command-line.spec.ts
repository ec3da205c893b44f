import { spawn, execFileSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/** The bundle that `npm run build:cli` makes, as processes of their own. */
const SING = fileURLToPath(new URL('../../dist/cli/sing.cjs', import.meta.url));

let home: string;
beforeAll(async () => {
  if (!existsSync(SING)) throw new Error('Expected dist/cli, which is missing: run npm run build:cli');
  home = await mkdtemp(join(tmpdir(), 'sing-'));
});
afterAll(() => rm(home, { recursive: true, force: true }));

const environment = () => ({ PATH: process.env['PATH'], HOME: home, SCS_HOME: join(home, 'none') });

function start(words: readonly string[]): ChildProcess {
  return spawn(process.execPath, [SING, ...words], { env: environment(), stdio: ['ignore', 'pipe', 'pipe'] });
}

interface Told {
  /** Chunks in the order in which they were loaded. */
  readonly chunks: readonly string[];
  /** Those whose compiled code was not used. */
  readonly compiledHere: readonly string[];
  /** Modules of Node that were loaded besides those that were there before. */
  readonly modules: readonly string[];
}

/**
 * Loads the bundle as its entry does, and tells what was loaded when the command had ended, or when the first byte of its
 * first request arrived. `URL` in the words is a server that waits for that.
 */
const TELL = `
const [loader, cli, ...words] = process.argv.slice(1);
const { chunkLoader } = await import(loader);
const { createServer } = process.getBuiltinModule('node:net');
const [entry] = /sing-[^.]+.cjs/.exec(process.getBuiltinModule('node:fs').readFileSync(cli + '/sing.cjs', 'utf8'));
let before;
const chunks = [];
const tell = () => {
  const compiledHere = chunks.filter(([, script]) => script.cachedDataRejected !== false).map(([name]) => name);
  const modules = process.moduleLoadList.filter((name) => !before.has(name));
  process.stdout.write(JSON.stringify({ chunks: chunks.map(([name]) => name), compiledHere, modules }));
  process.exit();
};
const server = createServer((socket) => socket.once('data', tell));
server.listen(0, '127.0.0.1', async () => {
  before = new Set(process.moduleLoadList);
  const loaded = (name, script) => chunks.push([name, script]);
  const load = chunkLoader({ folder: cli + '/chunks', compiled: cli + '/compiled', loaded });
  const url = 'https://127.0.0.1:' + server.address().port;
  await load('./' + entry).start(words.map((word) => word === 'URL' ? url : word));
  tell();
});`;

function whatLoads(...words: readonly string[]): Told & { readonly text: string } {
  const loader = new URL('../../libs/cli/src/bundle/chunks.ts', import.meta.url).href;
  const command = ['--input-type=module', '--eval', TELL, loader, dirname(SING), ...words];
  const printed = execFileSync(process.execPath, command, { env: environment(), encoding: 'utf8' });
  const told = JSON.parse(printed.slice(printed.indexOf('{'))) as Told;
  const text = told.chunks.map((name) => readFileSync(join(dirname(SING), 'chunks', name), 'utf8')).join('');
  return { ...told, text };
}

describe('the bundle', () => {
  it('starts without OpenPGP, without HTTP and without schemas', () => {
    const { text, modules } = whatLoads('version');
    // Nor the planner of starts, which is in the native program.
    expect(text).not.toMatch(/BEGIN PGP|UND_ERR_CONNECT_TIMEOUT|invalid_union|prepare_targets/);
    expect(text).toContain('unknown shorthand flag');
    // What is left is the commands with their help.
    expect(text.length).toBeLessThan(250_000);
    for (const name of ['http', 'tls', 'v8', 'child_process', 'assert'])
      expect(modules).not.toContain(`NativeModule ${name}`);
  });

  it('makes no schema and loads no module in vain before the first request', () => {
    const { text, modules } = whatLoads('key', 'search', '--url', 'URL', 'nobody');
    expect(text).toContain('UND_ERR_CONNECT_TIMEOUT');
    expect(text).not.toMatch(/invalid_union|BEGIN PGP/);
    expect(modules).toContain('NativeModule tls');
    for (const name of ['http', 'v8', 'child_process', 'assert'])
      expect(modules).not.toContain(`NativeModule ${name}`);
  });

  it('runs code that the build compiled', () => {
    expect(whatLoads('key', 'search', '--url', 'URL', 'nobody').compiledHere).toEqual([]);
    expect(whatLoads('key', 'list').compiledHere).toEqual([]);
  });

  it('of what is done in an enclosure knows no network', () => {
    const text = readFileSync(join(dirname(SING), '../enclosed/main.js'), 'utf8');
    expect(text).toContain('imageLayoutVersion');
    expect(text).not.toMatch(/UND_ERR_CONNECT_TIMEOUT|www-authenticate/);
  });

  it('prints the version', () => {
    const printed = execFileSync(process.execPath, [SING, 'version'], {
      env: environment(),
      encoding: 'utf8',
    });
    const { version } = JSON.parse(readFileSync(join(dirname(SING), '../../package.json'), 'utf8')) as {
      version: string;
    };
    expect(printed).toBe(`${version}\n`);
  });

  it('brings completion and a manual page along', () => {
    const share = join(dirname(SING), 'share');
    expect(readFileSync(join(share, 'man/man1/sing.1'), 'utf8')).toContain('.TH SING 1');
    const script = readFileSync(join(share, 'bash-completion/completions/sing'), 'utf8');
    expect(execFileSync('bash', ['-n'], { input: script, encoding: 'utf8' })).toBe('');
  });
});

describe('the process', () => {
  it('ends quietly when its reader goes away', async () => {
    const child = start(['manual']);
    child.stdout?.destroy();
    let errors = '';
    child.stderr?.on('data', (chunk: Buffer) => (errors += chunk.toString()));
    const [status] = (await once(child, 'close')) as [number | null];
    expect(errors).toBe('');
    // All of it may have fitted into the pipe before it was closed.
    expect([0, 141]).toContain(status);
  });

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('dies by %s, so that a shell sees it', async (signal) => {
    const server = createServer(() => child.kill(signal));
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const { port } = server.address() as AddressInfo;
    const child = start(['key', 'search', '--url', `http://127.0.0.1:${port}`, 'somebody']);
    expect(await once(child, 'close')).toEqual([null, signal]);
    server.closeAllConnections();
    server.close();
  });

  it('fails with a sentence and no stack, in one place', async () => {
    const child = start(['key', 'search', '--url', 'http://127.0.0.1:1', 'somebody']);
    let errors = '';
    child.stderr?.on('data', (chunk: Buffer) => (errors += chunk.toString()));
    expect(await once(child, 'close')).toEqual([2, null]);
    expect(errors).toBe(
      'FATAL:   Cannot reach http://127.0.0.1:1: nothing listens there\n' +
        '         Check the address and that the service runs\n',
    );
  });
});
