import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';

/** Whoever runs the tests, containers are also started by somebody without any right: this id needs no entry anywhere. */
const ORDINARY = 61234;

const BUILT = resolve(import.meta.dirname, '../../addon/build');
export const PROGRAM = join(readableBuild(), 'sing');

/**
 * The folder of the program as an ordinary user can reach it: a checkout below a home directory of mode 0700 is nothing to others, so root's tests use a copy then.
 */
function readableBuild(): string {
  const program = join(BUILT, 'sing');
  if (!existsSync(program) || spawnSync('test', ['-x', program], ordinary()).status === 0) return BUILT;
  const copy = join(mkdtempSync(join(tmpdir(), 'sing-program-')), 'addon/build');
  process.once('exit', () => rmSync(resolve(copy, '../..'), { recursive: true, force: true }));
  mkdirSync(copy, { recursive: true });
  for (const name of ['sing', 'sh']) copyFileSync(join(BUILT, name), join(copy, name));
  chmodSync(resolve(copy, '../..'), 0o755);
  return copy;
}
const BUSYBOX = '/bin/busybox';
const APPLETS = [
  'sh',
  'cat',
  'ls',
  'id',
  'env',
  'true',
  'false',
  'pwd',
  'touch',
  'stat',
  'grep',
  'readlink',
  'sleep',
  'printf',
  'mkdir',
  'chown',
  'rm',
  'kill',
  'ps',
  'mount',
  'test',
  'wc',
  'dd',
];

/** Why containers cannot be started here, or null. `SING_MUST_WORK=1` turns a skip into a failure. */
export function whyNoContainers(): string | null {
  if (!existsSync(PROGRAM)) return 'the native program is not built (npm run build:native)';
  if (!existsSync(BUSYBOX)) return 'there is no static busybox (apt-get install busybox-static)';
  const probe = spawnSync('unshare', ['--user', '--mount', 'true'], ordinary());
  return probe.status === 0 ? null : 'user namespaces are not open to users here';
}

/** True when the tests of containers are to be skipped; with SING_MUST_WORK=1 they run and fail. */
export function skipContainers(): boolean {
  const reason = whyNoContainers();
  if (reason === null) return false;
  if (process.env['SING_MUST_WORK'] === '1')
    throw new Error(`Expected containers to work here, but ${reason}`);
  process.stderr.write(`skipped: ${reason}\n`);
  return true;
}

function ordinary(): { uid?: number; gid?: number } {
  return process.getuid?.() === 0 ? { uid: ORDINARY, gid: ORDINARY } : {};
}

/** The id that `runSing` starts as. */
export function ordinaryId(): number {
  return ordinary().uid ?? process.getuid?.() ?? -1;
}

/** A directory image below `folder`: busybox under its usual names, accounts, and nothing else. Readable by everybody. */
export function makeImage(folder: string, files: Readonly<Record<string, string>> = {}): string {
  const image = join(folder, 'image');
  chmodSync(folder, 0o755);
  mkdirSync(join(image, 'bin'), { recursive: true });
  mkdirSync(join(image, 'etc'));
  copyFileSync(BUSYBOX, join(image, 'bin/busybox'));
  for (const applet of APPLETS) symlinkSync('busybox', join(image, 'bin', applet));
  writeFileSync(join(image, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
  writeFileSync(join(image, 'etc/group'), 'root:x:0:\n');
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(join(image, path, '..'), { recursive: true });
    writeFileSync(join(image, path), content, { mode: 0o755 });
  }
  return image;
}

export interface Ended {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface SingOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  readonly as?: 'user' | 'root';
}

/** Runs the native program with a small environment, as an ordinary user unless root is asked. */
export async function runSing(words: readonly string[], options: SingOptions = {}): Promise<Ended> {
  const child = spawn(PROGRAM, words, {
    cwd: options.cwd ?? '/',
    env: { HOME: '/var/tmp', PATH: '/usr/bin:/bin', TERM: 'dumb', ...options.env },
    ...(options.as === 'root' ? {} : ordinary()),
  });
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input ?? '');
  const ended = new Promise<Pick<Ended, 'status' | 'signal'>>((settle, fail) => {
    child.once('error', fail);
    child.once('close', (status, signal) => settle({ status, signal }));
  });
  const [stdout, stderr, how] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { ...how, stdout, stderr };
}
