import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';
import { mkdir, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from '#libs/core';

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

  /** Opens `<folder>/seal.key` (0600), made at the first start. */
  static async open(folder: string): Promise<Seal> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const file = join(folder, 'seal.key');
    try {
      const made = await open(file, 'wx', 0o600);
      await made.writeFile(randomBytes(KEY_BYTES));
      await made.sync();
      await made.close();
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') throw error;
    }
    const key = await readFile(file);
    if (key.length !== KEY_BYTES)
      throw new Error(`Expected ${KEY_BYTES} bytes in ${file}, got ${key.length}`);
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
