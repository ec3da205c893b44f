import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { DomainError, placeFile, systemCode } from '#libs/core';
import type { Source } from './sources.js';

const CursorFile = z.object({
  version: z.literal(1),
  /** By source: how many certificates of it are done, and which file it was. */
  sources: z.record(z.string(), z.object({ done: z.number().int().nonnegative(), version: z.string() })),
});
type CursorFile = z.infer<typeof CursorFile>;

/** The file is written at most so often: with many small sources it is long. */
const SPACING = 2_000;

/** How far an import came. What is said to be done was acknowledged; what was done besides is done again, which changes nothing. */
export class ImportCursor {
  readonly #file: string | undefined;
  readonly #sources: CursorFile['sources'];
  #saved = 0;
  #saving: Promise<void> = Promise.resolve();

  private constructor(file: string | undefined, sources: CursorFile['sources']) {
    this.#file = file;
    this.#sources = sources;
  }

  /** @param file undefined: nothing is remembered @throws DomainError for a file that is no cursor */
  static async open(file: string | undefined): Promise<ImportCursor> {
    if (file === undefined) return new ImportCursor(undefined, {});
    try {
      const { sources } = CursorFile.parse(JSON.parse(await readFile(file, 'utf8')));
      return new ImportCursor(file, sources);
    } catch (cause) {
      if (systemCode(cause) === 'ENOENT') return new ImportCursor(file, {});
      throw new DomainError('bad_request', `${file} is not what scs keys import --cursor writes`, {
        reason: 'bad_cursor_file',
        remedy: 'Name a file that is not there to begin anew',
        cause,
      });
    }
  }

  /** How many certificates of a source are done. Of one that has changed since, none. */
  done({ name, version }: Source): number {
    const known = Object.hasOwn(this.#sources, name) ? this.#sources[name] : undefined;
    return known?.version === version ? known.done : 0;
  }

  /** So many are done now; written down from time to time. */
  async reach({ name, version }: Source, done: number): Promise<void> {
    this.#sources[name] = { done, version };
    if (performance.now() - this.#saved >= SPACING) await this.save();
  }

  /** Writes it down. */
  save(): Promise<void> {
    const file = this.#file;
    if (file === undefined) return Promise.resolve();
    this.#saved = performance.now();
    const text = `${JSON.stringify({ version: 1, sources: this.#sources } satisfies CursorFile)}\n`;
    const write = () => placeFile(file, { overwrite: true, mode: 0o600 }, (handle) => handle.writeFile(text));
    return (this.#saving = this.#saving.then(write, write).then(() => undefined));
  }
}
