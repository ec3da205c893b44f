import { ftruncate, write } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { execa } from 'execa';
import { DomainError, systemCode } from '#libs/core';

const truncate = promisify(ftruncate);
const writeAt = promisify(write);

const MEBIBYTE = 1024 * 1024;
/** The tools lie where the PATH of a user often does not lead. */
const SYSTEM_FOLDERS = '/usr/sbin:/sbin';

export interface LayerWish {
  readonly mebibytes: number;
  /** Without it every byte is written first, so that the disk cannot become full later. */
  readonly sparse: boolean;
  /** Paths in the container that are made in the layer. */
  readonly directories: readonly string[];
  /** It belongs to root; else to the caller. */
  readonly forRoot: boolean;
  readonly signal: AbortSignal;
}

/**
 * Makes an ext3 with the directories of an overlay (`upper`, `work`) in an empty open file.
 * @throws DomainError when the tools are missing or fail; status 255
 */
export async function makeLayer(descriptor: number, wish: LayerWish): Promise<void> {
  const directories = withParents(wish.directories.map(layerPath));
  if (wish.sparse) await truncate(descriptor, wish.mebibytes * MEBIBYTE);
  else await fill(descriptor, wish);
  const folder = await mkdtemp(join(tmpdir(), 'sing-overlay-'));
  try {
    for (const path of directories) {
      await mkdir(join(folder, path));
      // As it is in the image, whatever the umask is: the folder above is closed to others.
      await chmod(join(folder, path), 0o755);
    }
    const options = ['-q', '-F', '-t', 'ext3', '-m', '0', '-E', `nodiscard,root_owner=${owner(wish)}`];
    await tool('mke2fs', wish.signal, [...options, '-d', folder, nameOf(descriptor)]);
    if (wish.forRoot && process.getuid?.() !== 0) await giveToRoot(descriptor, wish, directories);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function owner({ forRoot }: LayerWish): string {
  return forRoot ? '0:0' : `${process.geteuid?.() ?? 0}:${process.getegid?.() ?? 0}`;
}

/** The directories of the layer, each behind the one that it lies in. */
function withParents(directories: readonly string[]): readonly string[] {
  const paths = new Set(['upper', 'work']);
  for (const path of directories)
    for (let end = 0; end !== -1;) {
      end = path.indexOf('/', end + 1);
      paths.add(`upper/${end === -1 ? path : path.slice(0, end)}`);
    }
  return [...paths];
}

/** mke2fs copies the owners of what it is given, which an ordinary user cannot change. */
async function giveToRoot(
  descriptor: number,
  { signal }: LayerWish,
  directories: readonly string[],
): Promise<void> {
  const commands = directories.flatMap((path) => [`sif ${path} uid 0`, `sif ${path} gid 0`]);
  await tool('debugfs', signal, ['-w', '-f', '-', nameOf(descriptor)], `${commands.join('\n')}\n`);
}

/** A path in the container as one below the layer. @throws DomainError for one that would leave it, or that a tool would misread */
function layerPath(path: string): string {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.length === 0 || parts.includes('..') || !/^[\w.,:@%+=/-]+$/.test(path))
    throw new DomainError(
      'bad_request',
      `Expected a path of letters, digits and -_.,:@%+= for --create-dir, got "${path}"`,
      {
        reason: 'overlay_refused',
        exitCode: 255,
      },
    );
  return parts.join('/');
}

async function fill(descriptor: number, { mebibytes, signal }: LayerWish): Promise<void> {
  const zeros = Buffer.alloc(MEBIBYTE);
  for (let index = 0; index < mebibytes; index += 1) {
    signal.throwIfAborted();
    for (let written = 0; written < MEBIBYTE;)
      written += (await writeAt(descriptor, zeros, written, MEBIBYTE - written, index * MEBIBYTE + written))
        .bytesWritten;
  }
}

/** A name of the very file that is open here, for a tool. */
function nameOf(descriptor: number): string {
  return `/proc/${process.pid}/fd/${descriptor}`;
}

async function tool(name: string, signal: AbortSignal, args: readonly string[], input = ''): Promise<void> {
  const ended = await execa(name, args, {
    input,
    reject: false,
    cancelSignal: signal,
    env: { PATH: `${process.env['PATH'] ?? ''}:${SYSTEM_FOLDERS}`, LC_ALL: 'C' },
  });
  signal.throwIfAborted();
  if (!ended.failed) return;
  const missing = systemCode(ended.cause) === 'ENOENT';
  const said = ended.stderr.trim().split('\n').at(-1) ?? '';
  throw new DomainError(
    'unavailable',
    missing ? `${name} is not installed` : `${name} could not make the overlay: ${said}`,
    {
      reason: 'overlay_failed',
      exitCode: 255,
      ...(missing ? { remedy: 'Install the package e2fsprogs' } : {}),
    },
  );
}
