import { chmod, chown, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isObjectId, systemCode } from '#libs/core';

/** Removes a tree whose files belong to ids that only a build's own namespace may touch. */
export type RemoveTree = (path: string) => Promise<void>;

/** The folders in which a worker's builds do their work: one each, private, and gone when the build has ended. */
export class JobFolders {
  constructor(
    private readonly root: string,
    /** Whom the files of builds belong to (runtime: buildIds). */
    private readonly owner: { readonly uid: number; readonly gid: number },
    private readonly removeTree: RemoveTree,
  ) {}

  /** Removes what builds left behind whose worker was killed. Before the first build. */
  async clear(): Promise<void> {
    await mkdir(this.root, { recursive: true, mode: 0o711 });
    // Others may pass through, to their own folder, but not look around.
    await chmod(this.root, 0o711);
    for (const name of await readdir(this.root)) if (isObjectId(name)) await this.remove(name);
  }

  /** A fresh empty folder for a build. */
  async create(id: string): Promise<string> {
    const path = join(this.root, id);
    await this.remove(id);
    await mkdir(path, { mode: 0o700 });
    if (process.getuid?.() === 0) await chown(path, this.owner.uid, this.owner.gid);
    return path;
  }

  async remove(id: string): Promise<void> {
    const path = join(this.root, id);
    try {
      await rm(path, { recursive: true, force: true });
    } catch (error) {
      if (systemCode(error) !== 'EACCES' && systemCode(error) !== 'EPERM') throw error;
      await this.removeTree(path);
      await rm(path, { recursive: true, force: true });
    }
  }
}
