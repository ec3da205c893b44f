import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Inject, Injectable } from '@nestjs/common';
import { WorkFolder } from '#libs/build';
import { ScsConfig } from '#libs/config';
import { DomainError, messageOf, newObjectId, withFileLock } from '#libs/core';
import { LOG, type Logger } from '#libs/server';

const LOCK = '.lock';

/**
 * Where the builds of this process do their work: a folder of its own, for as long as it holds the lock beside it. Another worker on the same state
 * folder has another one, and each removes at its start what builds left behind whose worker was killed.
 */
@Injectable()
export class JobsFolder {
  readonly #parent: string;
  readonly #name = newObjectId();
  readonly #release = Promise.withResolvers<void>();
  #held: Promise<void> | undefined;

  constructor(
    config: ScsConfig,
    @Inject(LOG) private readonly log: Logger,
  ) {
    this.#parent = join(config.dataFolder('worker'), 'jobs');
  }

  /** The folder of one build. */
  of(id: string): string {
    return join(this.#parent, this.#name, id);
  }

  /** Makes the folder and removes those of the dead. */
  async open(): Promise<void> {
    await mkdir(this.#parent, { recursive: true, mode: 0o700 });
    const locked = Promise.withResolvers<void>();
    this.#held = withFileLock(join(this.#parent, this.#name + LOCK), async () => {
      locked.resolve();
      await this.#release.promise;
    });
    this.#held.catch(locked.reject);
    await locked.promise;
    await mkdir(join(this.#parent, this.#name), { mode: 0o700 });
    for (const name of await readdir(this.#parent))
      if (!name.startsWith(this.#name)) await this.#clear(name.replace(/\.lock(\.break)?$/, ''));
  }

  /** Gives the folder up: no build runs any more. */
  async close(): Promise<void> {
    if (this.#held === undefined) return;
    await WorkFolder.clear(join(this.#parent, this.#name)).catch((error: unknown) =>
      this.#stays(this.#name, error),
    );
    this.#release.resolve();
    await this.#held;
  }

  /** Removes what is there by this name, unless its worker lives. */
  async #clear(name: string): Promise<void> {
    const path = join(this.#parent, name);
    await withFileLock(path + LOCK, () => WorkFolder.clear(path), { timeout: 0 }).catch((error: unknown) => {
      if (!(error instanceof DomainError && error.reason === 'locked')) this.#stays(name, error);
    });
  }

  #stays(name: string, error: unknown): void {
    this.log.error(`${join(this.#parent, name)} stays: ${messageOf(error)}`);
  }
}
