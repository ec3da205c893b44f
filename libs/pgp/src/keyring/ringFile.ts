import { chmod, open, realpath, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DomainError, fileError, placeFile, systemCode } from '#libs/core';
import { decodeArmors } from '../armor.js';
import { pgpError } from '../fault.js';
import { publicKeyIds, certificatesIn } from '../framing.js';
import { readKey, reasonOf, type PgpKey } from '../key.js';
import { PGP_LIMITS } from '../limits.js';

/** Called with a sentence for everything that was put right or left out. */
export type Warn = (message: string) => void;

/** One key ring file: certificates one after the other, as the stock programs keep them (SIF contract §2.9). */
export class RingFile {
  readonly path: string;
  readonly #private: boolean;
  readonly #mode: number;
  readonly #warn: Warn;

  /**
   * @param options.private true for secret keys: the file is then readable by its owner alone, or it is not used
   * @param options.shared true for keys that everybody reads
   */
  constructor(path: string, options: { private: boolean; shared?: boolean; warn: Warn }) {
    this.path = path;
    this.#private = options.private;
    this.#mode = options.shared === true ? 0o644 : 0o600;
    this.#warn = options.warn;
  }

  /**
   * The bytes of every certificate in the file, none when there is no file.
   * @throws DomainError when the file is damaged, too large, or holds secrets that others can read
   */
  async certificates(): Promise<Uint8Array[]> {
    const bytes = await this.#read();
    if (bytes.length === 0) return [];
    try {
      const parts =
        (bytes[0] ?? 0) & 0x80 ? [bytes] : decodeArmors(bytes.toString('latin1')).map((a) => a.bytes);
      return parts.flatMap((part) => certificatesIn(part, Infinity));
    } catch (cause) {
      throw pgpError('pgp_damaged_ring', `The key ring ${this.path} is damaged: ${reasonOf(cause)}`, {
        cause,
      });
    }
  }

  /** All keys of the file. One that cannot be read stays in the file and is reported. */
  async keys(): Promise<PgpKey[]> {
    return this.#parsed(await this.certificates());
  }

  /** Public keys with this id (16 upper-case hex digits), primary or subkey; only those are parsed. */
  async publicKeysById(keyId: string): Promise<PgpKey[]> {
    const all = await this.certificates();
    return this.#parsed(all.filter((certificate) => publicKeyIds(certificate).includes(keyId)));
  }

  /** Replaces the whole content; whoever calls holds the ring's lock. */
  async replace(certificates: readonly Uint8Array[]): Promise<void> {
    // The file may be a link into a folder of settings that somebody synchronises: the link stays.
    const path = await realpath(this.path).catch(() => this.path);
    const owner = await stat(path).catch(() => stat(dirname(path)));
    await placeFile(path, { overwrite: true, mode: this.#mode }, async (file) => {
      await file.chmod(this.#mode);
      // With sudo the ring must stay its owner's, or he could not read it any more.
      if (process.getuid?.() === 0 && owner.uid !== 0) await file.chown(owner.uid, owner.gid);
      await file.writeFile(Buffer.concat(certificates));
    }).catch((error: unknown) => {
      throw fileError(error) ?? error;
    });
  }

  async #parsed(certificates: readonly Uint8Array[]): Promise<PgpKey[]> {
    const keys: PgpKey[] = [];
    for (const certificate of certificates) {
      try {
        keys.push(await readKey(certificate));
      } catch (error) {
        this.#warn(`A key in ${this.path} is left out: ${reasonOf(error)}`);
      }
    }
    return keys;
  }

  async #read(): Promise<Buffer> {
    try {
      const file = await open(this.path, 'r');
      try {
        const { size, mode } = await file.stat();
        if (size > PGP_LIMITS.ringBytes)
          throw pgpError('pgp_too_large', `Expected at most ${PGP_LIMITS.ringBytes} bytes in ${this.path}`);
        if (this.#private && (mode & 0o077) !== 0) await this.#close(mode);
        return await file.readFile();
      } finally {
        await file.close();
      }
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return Buffer.alloc(0);
      throw fileError(error) ?? error;
    }
  }

  async #close(mode: number): Promise<void> {
    const octal = (mode & 0o777).toString(8).padStart(4, '0');
    try {
      await chmod(this.path, 0o600);
    } catch (cause) {
      throw new DomainError('forbidden', `Others can read the secret keys in ${this.path} (mode ${octal})`, {
        reason: 'pgp_loose_mode',
        remedy: `Let its owner run: chmod 600 ${this.path}`,
        cause,
      });
    }
    this.#warn(`Others could read the secret keys in ${this.path} (mode ${octal}): the mode is 0600 now`);
  }
}
