import { spawn, execFileSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/** The bundle that `npm run build:cli` makes, as processes of their own. */
const SING = fileURLToPath(new URL('../../dist/cli/sing.mjs', import.meta.url));

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

describe('the bundle', () => {
  it('starts without OpenPGP, without HTTP and without schemas', () => {
    const loaded = new Map<string, string>();
    const load = (file: string): void => {
      if (loaded.has(file)) return;
      const text = readFileSync(file, 'utf8');
      loaded.set(file, text);
      // The entry loads the command tree when the compile cache is on; what others load later is what this is about.
      const imports =
        file === SING
          ? /["`](\.\/chunks\/[^"`]+)["`]/g
          : /(?:import|export)(?:[\w*{}\s,$]+from)?\s*"(\.[^"]+)"/g;
      for (const match of text.matchAll(imports)) {
        load(resolve(dirname(file), match[1] ?? ''));
      }
    };
    load(SING);
    const text = [...loaded.values()].join('');
    expect(text).not.toMatch(/BEGIN PGP|UND_ERR_CONNECT_TIMEOUT|invalid_union|node:https|node:http"/);
    expect(text).toContain('unknown shorthand flag');
    expect(text.length).toBeLessThan(200_000);
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
