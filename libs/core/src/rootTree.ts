import { constants } from 'node:fs';
import {
  chmod,
  lstat,
  mkdir,
  open,
  readdir,
  readlink,
  realpath,
  rm,
  symlink,
  type FileHandle,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Stats } from 'node:fs';
import { DomainError, systemCode } from './errors.js';

/** As many symbolic links as the kernel follows in one path. */
const MAXIMUM_LINKS = 40;
const MAXIMUM_PATH = 4096;

/**
 * A directory that will be, or was, the root of a container. Every path is read as the container would read it: symbolic
 * links are followed inside the root, `..` stops at it, and nothing outside is ever reached. It protects against whatever
 * an image holds, not against somebody who changes the tree at the same time: no process of the container may run meanwhile.
 */
export class RootTree {
  private constructor(readonly root: string) {}

  /** Opens an existing directory. @throws the system error when there is none */
  static async open(directory: string): Promise<RootTree> {
    return new RootTree(await realpath(directory));
  }

  /**
   * The host path that `path` means inside the root. What does not exist stays as written.
   * @param followLast whether a link at the very end is followed too
   * @throws DomainError `bad_request` for more links than the kernel would follow, or an absurdly long path
   */
  async resolve(path: string, followLast = true): Promise<string> {
    if (path.includes('\0') || path.length > MAXIMUM_PATH)
      throw new DomainError('bad_request', `Expected a path, got ${path.length} bytes`);
    const pending = path.split('/');
    const done: string[] = [];
    for (let links = 0; pending.length > 0;) {
      const part = pending.shift() ?? '';
      if (part === '' || part === '.') continue;
      if (part === '..') {
        done.pop();
        continue;
      }
      const here = join(this.root, ...done, part);
      const last = pending.every((rest) => rest === '' || rest === '.');
      const target = last && !followLast ? undefined : await linkTarget(here);
      if (target === undefined) {
        done.push(part);
        continue;
      }
      links += 1;
      if (links > MAXIMUM_LINKS) throw new DomainError('bad_request', `Too many symbolic links in ${path}`);
      if (target.startsWith('/')) done.length = 0;
      pending.unshift(...target.split('/'));
    }
    return join(this.root, ...done);
  }

  /** What is at `path`, without following a link at its end; undefined when nothing is. */
  async lstat(path: string): Promise<Stats | undefined> {
    return ignoreMissing(lstat(await this.resolve(path, false)));
  }

  /** What `path` leads to; undefined when nothing is there. */
  async stat(path: string): Promise<Stats | undefined> {
    return ignoreMissing(lstat(await this.resolve(path)));
  }

  /** Names in a directory, sorted; empty when there is none. */
  async list(path: string): Promise<string[]> {
    return ((await ignoreMissing(readdir(await this.resolve(path)))) ?? []).sort();
  }

  /** Makes a directory with all its parents; returns its host path. Existing ones keep their mode. */
  async directory(path: string, mode = 0o755): Promise<string> {
    const target = await this.resolve(path);
    const parent = dirname(target);
    if (target !== this.root && (await ignoreMissing(lstat(parent))) === undefined) {
      await this.directory(parent.slice(this.root.length), 0o755);
    }
    try {
      await mkdir(target, { mode });
      await chmod(target, mode);
    } catch (error) {
      if (systemCode(error) !== 'EEXIST' || !(await lstat(target)).isDirectory()) throw error;
    }
    return target;
  }

  /**
   * A new file at `path` for writing; whatever was there and is no directory is replaced. A link at the end is followed
   * when `followLast` is true and replaced otherwise. The caller closes it.
   */
  async create(path: string, mode: number, followLast = true): Promise<FileHandle> {
    const target = await this.resolve(path, followLast);
    await this.directory(dirname(target).slice(this.root.length));
    await rm(target, { force: true });
    const file = await open(
      target,
      constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
      mode,
    );
    await file.chmod(mode);
    return file;
  }

  async write(path: string, content: string | Uint8Array, mode = 0o644): Promise<void> {
    const file = await this.create(path, mode);
    try {
      await file.writeFile(content);
    } finally {
      await file.close();
    }
  }

  /**
   * The content of a regular file; undefined when there is none.
   * @throws DomainError `too_large` beyond `limit` bytes
   */
  async read(path: string, limit: number): Promise<Buffer | undefined> {
    const target = await this.resolve(path);
    const stats = await ignoreMissing(lstat(target));
    if (stats === undefined || !stats.isFile()) return undefined;
    if (stats.size > limit)
      throw new DomainError('too_large', `Expected at most ${limit} bytes in ${path}, got ${stats.size}`);
    const file = await open(target, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      return await file.readFile();
    } finally {
      await file.close();
    }
  }

  /** A symbolic link; what was there and is no directory is replaced. */
  async link(path: string, target: string): Promise<void> {
    const place = await this.resolve(path, false);
    await this.directory(dirname(place).slice(this.root.length));
    await rm(place, { force: true });
    await symlink(target, place);
  }

  /** Removes a file, a link or a whole directory; nothing happens when nothing is there. */
  async remove(path: string): Promise<void> {
    await rm(await this.resolve(path, false), { recursive: true, force: true });
  }
}

async function linkTarget(path: string): Promise<string | undefined> {
  try {
    return await readlink(path);
  } catch (error) {
    const code = systemCode(error);
    if (code === 'EINVAL' || code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}

async function ignoreMissing<T>(result: Promise<T>): Promise<T | undefined> {
  try {
    return await result;
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}
