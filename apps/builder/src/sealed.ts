import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';
import { mkdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DomainError, expected, placeFile } from '#libs/core';

const ALGORITHM = 'aes-256-gcm';
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * Keeps tokens of running builds unreadable in the database: whoever gets a copy of it without the key file gets no token.
 * The build's id is bound in, so that a sealed text cannot be moved to another build.
 */
export class Seal {
  private constructor(private readonly key: Buffer) {}

  /** A key for another purpose that follows from this one. */
  derive(purpose: string): Buffer {
    return createHmac('sha256', this.key).update(purpose).digest();
  }

  /**
   * Opens `<folder>/seal.key` (0600), made at the first start. It appears whole: a process that is killed meanwhile, or a disk that is full, leaves none.
   * @throws DomainError when there is one that is none
   */
  static async open(folder: string): Promise<Seal> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const file = join(folder, 'seal.key');
    if (!(await exists(file)))
      await placeFile(file, { overwrite: false, mode: 0o600 }, (key) =>
        key.writeFile(randomBytes(KEY_BYTES)),
      ).catch((error: unknown) => {
        // Another process was faster: its key is everybody's.
        if (!(error instanceof DomainError) || error.reason !== 'exists') throw error;
      });
    const key = await readFile(file);
    if (key.length !== KEY_BYTES)
      throw new DomainError('unprocessable', expected(`${KEY_BYTES} bytes`, file, `${key.length} bytes`), {
        reason: 'bad_seal_key',
        remedy: `Put the file back from a backup, or remove it: builds that are waiting are then lost.`,
      });
    return new Seal(key);
  }

  seal(text: string, buildId: string): string {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(ALGORITHM, this.key, nonce).setAAD(Buffer.from(buildId));
    const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
    return Buffer.concat([nonce, cipher.getAuthTag(), body]).toString('base64');
  }

  /** @throws Error when the text was not sealed here for this build */
  unseal(sealed: string, buildId: string): string {
    const bytes = Buffer.from(sealed, 'base64');
    const decipher = createDecipheriv(ALGORITHM, this.key, bytes.subarray(0, NONCE_BYTES)).setAAD(
      Buffer.from(buildId),
    );
    decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
    return Buffer.concat([
      decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)),
      decipher.final(),
    ]).toString('utf8');
  }
}

async function exists(file: string): Promise<boolean> {
  return (await stat(file).catch(() => undefined)) !== undefined;
}
