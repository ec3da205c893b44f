import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';

const NONCE = 12;
const TAG = 16;
const KEY = 32;

/**
 * Seals what is given to others to keep: they can neither read nor make it, and the same comes out differently every time.
 */
export class Sealed {
  readonly #key: Buffer;

  /** @param secret a key of the service @param purpose what it seals: what was sealed for something else does not open */
  constructor(secret: Buffer, purpose: string) {
    this.#key = Buffer.from(hkdfSync('sha256', secret, '', purpose, KEY));
  }

  /** @param about what it belongs to: it opens for nothing else */
  seal(plain: Uint8Array, about = ''): string {
    const nonce = randomBytes(NONCE);
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce).setAAD(Buffer.from(about));
    const text = Buffer.concat([cipher.update(plain), cipher.final()]);
    return Buffer.concat([nonce, text, cipher.getAuthTag()]).toString('base64url');
  }

  /** Undefined for what was not sealed here, with this key, about this. */
  open(sealed: string, about = ''): Buffer | undefined {
    const bytes = Buffer.from(sealed, 'base64url');
    if (bytes.length < NONCE + TAG) return undefined;
    const opened = createDecipheriv('aes-256-gcm', this.#key, bytes.subarray(0, NONCE), {
      authTagLength: TAG,
    })
      .setAAD(Buffer.from(about))
      .setAuthTag(bytes.subarray(-TAG));
    try {
      return Buffer.concat([opened.update(bytes.subarray(NONCE, -TAG)), opened.final()]);
    } catch {
      return undefined;
    }
  }
}
