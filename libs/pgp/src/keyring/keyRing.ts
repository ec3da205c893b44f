import { chmod, mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DomainError, fileError, withFileLock } from '#libs/core';
import { pgpError } from '../fault.js';
import { fingerprintOf, isSecret, readKey, type PgpKey } from '../key.js';
import { publicPart } from '../publicPart.js';
import { mergeCertificates } from './merge.js';
import { RingFile, type Warn } from './ringFile.js';

export type RingKind = 'public' | 'secret';

/** What became of one imported key. */
export interface ImportOutcome {
  readonly fingerprint: string;
  readonly kind: RingKind;
  /** `updated`: the ring's copy got signatures, user ids or subkeys that it did not have. */
  readonly status: 'added' | 'updated' | 'unchanged';
}

/**
 * A person's keys in the folder and the files of the stock programs, so that both use the same keys (SIF contract §2.9):
 * `pgp-public` and `pgp-secret`, mode 0600, in a folder 0700. Changes are made under a lock and appear whole or not at all.
 */
export class KeyRing {
  readonly folder: string;
  readonly #files: Readonly<Record<RingKind, RingFile>>;
  readonly #warn: Warn;
  readonly #shared: boolean;

  /** @param shared of all users: public keys only, in `global-pgp-public`, that everybody reads */
  constructor(folder: string, warn: Warn = () => undefined, shared = false) {
    this.folder = folder;
    this.#warn = warn;
    this.#shared = shared;
    this.#files = {
      public: new RingFile(join(folder, shared ? 'global-pgp-public' : 'pgp-public'), {
        private: false,
        shared,
        warn,
      }),
      secret: new RingFile(join(folder, 'pgp-secret'), { private: true, warn }),
    };
  }

  /** Path of a file of the ring, for messages. */
  path(kind: RingKind): string {
    return this.#files[kind].path;
  }

  /** All keys, in the order they came in; none when there is no ring yet. */
  async keys(kind: RingKind): Promise<PgpKey[]> {
    return kind === 'secret' && this.#shared ? [] : this.#files[kind].keys();
  }

  /** Public keys by the id of a primary key or subkey (16 upper-case hex digits). */
  publicKeysById(keyId: string): Promise<PgpKey[]> {
    return this.#files.public.publicKeysById(keyId);
  }

  /**
   * Puts keys into the ring: public keys are merged with what is there; of secret keys the public part comes too, and a
   * secret key that is there already is never replaced.
   * @throws DomainError when the folder cannot be used or somebody else holds its lock; for a secret key when the ring is that of
   * all users, with nothing imported
   */
  async import(keys: readonly PgpKey[]): Promise<ImportOutcome[]> {
    if (this.#shared && keys.some(isSecret))
      throw new DomainError('forbidden', 'A private key is not for all users', {
        reason: 'pgp_secret_for_all',
        remedy: 'Export its public part, and import that',
        exitCode: 255,
      });
    return this.#change(async () => {
      const outcomes: ImportOutcome[] = [];
      for (const key of keys) {
        // The public part first: a crash in between leaves a key that can verify, not one that nobody can check.
        outcomes.push(await this.#put('public', await publicPart(key)));
        if (isSecret(key)) outcomes.push(await this.#put('secret', key));
      }
      return outcomes;
    });
  }

  /**
   * Removes one key from one of the two files.
   * @throws DomainError `pgp_key_not_found`
   */
  async remove(kind: RingKind, fingerprint: string): Promise<void> {
    await this.#change(async () => {
      const stored = await this.#indexed(kind);
      const rest = stored.filter((entry) => entry.fingerprint !== fingerprint.toUpperCase());
      if (rest.length === stored.length)
        throw pgpError('pgp_key_not_found', `There is no key ${fingerprint} in ${this.path(kind)}`);
      await this.#files[kind].replace(rest.map(({ bytes }) => bytes));
    });
  }

  async #put(kind: RingKind, key: PgpKey): Promise<ImportOutcome> {
    const fingerprint = fingerprintOf(key);
    const stored = await this.#indexed(kind);
    const outcome = (status: ImportOutcome['status']) => ({ fingerprint, kind, status });
    const known = stored.find((entry) => entry.fingerprint === fingerprint);
    if (known === undefined) {
      await this.#files[kind].replace([...stored.map(({ bytes }) => bytes), key.bytes]);
      return outcome('added');
    }
    if (kind === 'secret') return outcome('unchanged');
    const merged = mergeCertificates(known.bytes, key.bytes);
    if (merged === known.bytes) return outcome('unchanged');
    await this.#files[kind].replace(stored.map((entry) => (entry === known ? merged : entry.bytes)));
    return outcome('updated');
  }

  /** Every certificate with its fingerprint; one that cannot be read has none, and stays where it is. */
  async #indexed(kind: RingKind): Promise<{ fingerprint: string | undefined; bytes: Uint8Array }[]> {
    const certificates = await this.#files[kind].certificates();
    return Promise.all(
      certificates.map(async (bytes) => ({
        fingerprint: await readKey(bytes).then(fingerprintOf, () => undefined),
        bytes,
      })),
    );
  }

  async #change<T>(work: () => Promise<T>): Promise<T> {
    await this.#prepareFolder().catch((error: unknown) => {
      throw fileError(error) ?? error;
    });
    return withFileLock(join(this.folder, '.scs-lock'), work);
  }

  async #prepareFolder(): Promise<void> {
    await mkdir(this.folder, { recursive: true, mode: this.#shared ? 0o755 : 0o700 });
    // What else is in the folder of an installation everybody reads, too.
    if (this.#shared) return;
    const { mode, uid } = await stat(this.folder);
    const me = process.getuid?.();
    if (me !== 0 && uid !== me)
      throw new DomainError('forbidden', `The key folder ${this.folder} belongs to somebody else`, {
        reason: 'pgp_foreign_folder',
      });
    if ((mode & 0o077) === 0) return;
    await chmod(this.folder, 0o700);
    this.#warn(`Others could look into the key folder ${this.folder}: its mode is 0700 now`);
  }
}
