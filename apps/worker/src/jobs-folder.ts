import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Inject, Injectable } from '@nestjs/common';
import { ClaimedFolder } from '#libs/build';
import { ScsConfig } from '#libs/config';
import { messageOf } from '#libs/core';
import { LOG, type Logger } from '#libs/server';

/** Where the builds of this process do their work. Another worker on the same state folder has a folder of its own. */
@Injectable()
export class JobsFolder {
  #claimed: ClaimedFolder | undefined;

  constructor(
    private readonly config: ScsConfig,
    @Inject(LOG) private readonly log: Logger,
  ) {}

  /** The folder of one build. @throws Error before {@link open} */
  of(id: string): string {
    if (this.#claimed === undefined) throw new Error('The folder of builds is not open');
    return join(this.#claimed.path, id);
  }

  /** Makes the folder and removes those of workers that were killed. */
  async open(): Promise<void> {
    const parent = join(this.config.dataFolder('worker'), 'jobs');
    await mkdir(parent, { recursive: true, mode: 0o700 });
    const onStays = (path: string, error: unknown): void =>
      this.log.error(`${path} stays: ${messageOf(error)}`);
    this.#claimed = await ClaimedFolder.claim({ parent, prefix: '', onStays });
  }

  /** Gives the folder up: no build runs any more. */
  async close(): Promise<void> {
    await this.#claimed?.remove().catch((error: unknown) => this.log.error(messageOf(error)));
  }
}
