import { chown, lchown, lstat, mkdir, rm } from 'node:fs/promises';
import { buildIds, exposedPath, planEnclosure, startPlan, systemHost } from '#libs/runtime';
import { systemCode } from '#libs/core';
import { buildFailure } from './failure.js';

/** A private folder (0700) in which one build does its work. Its files belong to the ids of the build. */
export class WorkFolder {
  private constructor(readonly path: string) {}

  /** A fresh folder at `path`; what an earlier build left there goes first. */
  static async at(path: string): Promise<WorkFolder> {
    const folder = new WorkFolder(path);
    await folder.remove();
    await mkdir(path, { mode: 0o700 });
    await folder.give(path);
    return folder;
  }

  /** Removes what an earlier build left at `path`: a work folder or a file. */
  static async clear(path: string): Promise<void> {
    await new WorkFolder(path).remove();
  }

  /** Gives a file to the ids of the build, so that the enclosed process may read it. Only root has to. */
  async give(path: string): Promise<void> {
    if (process.getuid?.() !== 0) return;
    const { owner } = buildIds(systemHost());
    await chown(path, owner.uid, owner.gid);
  }

  /**
   * Takes a file over from the ids of the build, when nothing of the build runs any more. Whatever a hostile base made of the enclosed process, only a
   * file of its own is taken, never a link to a file of this machine: that would be read with the rights of the caller.
   * @throws DomainError when it is anything else
   */
  async take(path: string): Promise<void> {
    const stats = await lstat(path);
    if (!stats.isFile() || stats.nlink !== 1 || stats.uid !== buildIds(systemHost()).owner.uid)
      throw buildFailure('The build program made something else than an image', {
        remedy: 'This is a bug, or an image that attacks the build: please report it.',
      });
    if (process.getuid?.() === 0) await lchown(path, 0, process.getgid?.() ?? 0);
  }

  /**
   * Removes the folder with everything in it. Files of ids that only the build's namespace may touch are removed inside one.
   * @throws DomainError when something stays
   */
  async remove(): Promise<void> {
    if (await this.#removeOurs()) return;
    const host = systemHost();
    const inside = exposedPath(host, 'work');
    const source = Buffer.from(this.path, 'utf8').toString('latin1');
    const plan = planEnclosure(host, {
      // Its content only: the folder itself is a mount point there.
      command: ['/usr/bin/find', inside, '-mindepth', '1', '-delete'],
      environment: [],
      workingDirectory: '/',
      hidden: [],
      exposed: [{ name: 'work', source, readOnly: false }],
    });
    const container = startPlan(plan);
    container.stdout.resume();
    container.stderr.resume();
    await container.ended;
    if (!(await this.#removeOurs())) throw buildFailure(`${this.path} could not be removed`);
  }

  async #removeOurs(): Promise<boolean> {
    try {
      await rm(this.path, { recursive: true, force: true });
      return true;
    } catch (error) {
      const code = systemCode(error);
      if (code === 'EACCES' || code === 'EPERM' || code === 'ENOTEMPTY') return false;
      throw error;
    }
  }
}
