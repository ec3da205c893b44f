import { open } from 'node:fs/promises';
import { execa } from 'execa';
import { DomainError, RootTree, systemCode } from '#libs/core';
import type { TreeReader } from './metadata.js';

/*
 * Files of an image by name, from a folder or a file system in a file: each by a program that reads that kind, with bounds on what
 * it may say. Nothing is mounted or unpacked, and no program of the image runs.
 */

/** Longest file of an image that is shown, in bytes. */
const MAXIMUM_TEXT = 1024 * 1024;

/** A folder. No link leads out of it. */
export async function folderReader(path: string): Promise<TreeReader> {
  const tree = await RootTree.open(path);
  return {
    async text(name) {
      try {
        const file = await open(await tree.resolve(name), 'r');
        try {
          const status = await file.stat();
          return !status.isFile() || status.size > MAXIMUM_TEXT ? undefined : await file.readFile('utf8');
        } finally {
          await file.close();
        }
      } catch (error) {
        if (isAbsent(error)) return undefined;
        throw error;
      }
    },
    async names(name) {
      try {
        return await tree.list(name);
      } catch (error) {
        if (isAbsent(error)) return [];
        throw error;
      }
    },
  };
}

/** A squashfs that begins at an offset of a file. */
export function squashfsReader(path: string, offset: number, signal: AbortSignal): TreeReader {
  const call = async (...args: readonly string[]): Promise<string | undefined> => {
    const { exitCode, stdout, stderr } = await run(
      'unsquashfs',
      ['-o', String(offset), ...args],
      'squashfs-tools',
      signal,
    );
    // 1 is a file system that cannot be read, 2 a name that is not in it.
    if (exitCode === 1) throw unreadable(path, stderr);
    return exitCode === 0 ? stdout : undefined;
  };
  return {
    text: (name) => call('-cat', path, name),
    async names(name) {
      const listing = (await call('-lc', '-d', '', path, name)) ?? '';
      const prefix = `/${name}/`;
      // Everything below is listed; of a folder that is not empty only what is in it.
      const names = listing
        .split('\n')
        .filter((line) => line.startsWith(prefix))
        .map((line) => line.slice(prefix.length).split('/')[0] ?? '');
      return [...new Set(names)].filter((each) => each !== '');
    },
  };
}

/** An ext3 that begins at an offset of a file. */
export function ext3Reader(path: string, offset: number, signal: AbortSignal): TreeReader {
  // The program reads one line of commands, and parts of them stand in quotes; the offset is part of the name.
  if (/["?\n]/.test(path))
    throw new DomainError('bad_request', `Expected a path without quotes and question marks, got ${path}`);
  const call = async (command: string, name: string): Promise<string | undefined> => {
    if (/["\n\\]/.test(name)) return undefined;
    const words = ['-R', `${command} "/${name}"`, `${path}?offset=${offset}`];
    const { stdout, stderr } = await run('debugfs', words, 'e2fsprogs', signal);
    // It ends with 0 whatever happened. Its first line is its version.
    const said = stderr.split('\n').slice(1).join('\n');
    if (/not found|Not a directory|Invalid argument/.test(said)) return undefined;
    if (said.trim() !== '') throw unreadable(path, said);
    return stdout;
  };
  return {
    text: (name) => call('cat', name),
    async names(name) {
      const listing = (await call('ls -p', name)) ?? '';
      // /inode/mode/uid/gid/name/size/
      return listing
        .split('\n')
        .map((line) => line.split('/')[5] ?? '')
        .filter((each) => !['', '.', '..'].includes(each));
    },
  };
}

async function run(program: string, words: readonly string[], debianPackage: string, signal: AbortSignal) {
  // Debian keeps what is mostly for root in folders that are not on everybody's path.
  for (const place of [program, `/usr/sbin/${program}`, `/sbin/${program}`]) {
    const result = await execa(place, words, {
      maxBuffer: MAXIMUM_TEXT,
      cancelSignal: signal,
      reject: false,
      stdin: 'ignore',
      stripFinalNewline: false,
      env: { LC_ALL: 'C' },
    });
    signal.throwIfAborted();
    if (result.code !== 'ENOENT') return result;
  }
  throw missing(program, debianPackage);
}

const missing = (program: string, debianPackage: string) =>
  new DomainError('unavailable', `Cannot find the program ${program}`, {
    reason: 'missing_program',
    remedy: `Install it: apt install ${debianPackage}`,
  });

const unreadable = (path: string, said: string) =>
  new DomainError('bad_request', `The file system in ${path} cannot be read`, {
    reason: 'bad_file_system',
    cause: new Error(said),
  });

function isAbsent(error: unknown): boolean {
  const code = systemCode(error);
  return code === 'ENOENT' || code === 'ENOTDIR' || code === 'EISDIR';
}
