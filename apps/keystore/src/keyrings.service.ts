import { Inject, Injectable } from '@nestjs/common';
import type { Actor, KeyringEntry } from '#libs/contract';
import { type Clock, DomainError } from '#libs/core';
import { CLOCK, TokenVerifier } from '#libs/server';
import { CertificatesStore } from './certificates.store.js';
import type { StoredCertificate } from './collections.store.js';
import { etagOf } from './conditional.js';
import { keyringEvent } from './events.js';
import { type KeyringDocument, KeyringsStore } from './keyrings.store.js';
import { LIMITS } from './limits.js';
import { enforce, mayPutIntoKeyring, mayTakeFromKeyring, noKeyring } from './policy.js';
import { armorOf } from './present.js';
import { isServed } from './served.js';

/** A keyring as it is given. */
export interface Keyring {
  readonly etag: string;
  /** Made when it is asked for: who has it already costs no more than its etag. */
  readonly armor: () => string;
}

/** The keys of a team, in one file, without those of members who have left (ADR 14). */
@Injectable()
export class KeyringsService {
  readonly #kept = new Map<string, { readonly etag: string; readonly armor: string }>();

  constructor(
    private readonly keyrings: KeyringsStore,
    private readonly certificates: CertificatesStore,
    private readonly verifier: TokenVerifier,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** @throws DomainError `not_found` for one without a key, as for one that is not there */
  async get(organisation: string): Promise<Keyring> {
    const present = await this.#present(await this.keyrings.list(organisation));
    if (present.length === 0) throw noKeyring();
    const etag = etagOf(present.map(({ armor }) => armor).join(''));
    return { etag, armor: () => this.#armor(organisation, etag, present) };
  }

  /** Puts a key of the caller into the keyring, or again. @throws DomainError `not_found`, `forbidden`, `unprocessable` */
  async put(organisation: string, fingerprint: string, actor: Actor): Promise<KeyringEntry> {
    const certificate = (await this.certificates.get(fingerprint))?.value;
    enforce(mayPutIntoKeyring(actor, organisation, certificate), fingerprint);
    if (certificate?.alone === true) throw unreadableForGpg(fingerprint);
    const rolesKey = await this.verifier.rolesKeyOf(actor);
    if (rolesKey === undefined) throw new Error('A member without a key for the own roles');
    const others = (await this.keyrings.list(organisation)).filter((one) => one.fingerprint !== fingerprint);
    if (others.length >= LIMITS.keyringKeys) throw full(organisation);
    const { accountId: account, username } = actor;
    const at = this.clock.now().toISOString();
    const entry = { organisation, fingerprint, account, username, rolesKey, at };
    await this.keyrings.put(entry, keyringEvent('keyring.add', actor, fingerprint, organisation));
    return present(entry);
  }

  /** Takes a key out for good. @throws DomainError `not_found`, `forbidden` */
  async remove(organisation: string, fingerprint: string, actor: Actor): Promise<KeyringEntry> {
    const found = await this.keyrings.get(organisation, fingerprint);
    enforce(mayTakeFromKeyring(actor, organisation, found?.value), fingerprint);
    if (found === undefined) throw noKeyring();
    const event = keyringEvent('keyring.remove', actor, fingerprint, organisation);
    if (!(await this.keyrings.remove(found, event)))
      throw new DomainError('conflict', 'The keyring was changed meanwhile, look again');
    return present(found.value);
  }

  /**
   * The certificates of accounts that are members now and still own them. Who has left, or is disabled, is seen in the feed of
   * revocations within a second.
   */
  async #present(entries: readonly KeyringDocument[]): Promise<readonly StoredCertificate[]> {
    const now = await Promise.all(entries.map((entry) => this.#isMember(entry)));
    const members = new Map(
      entries.filter((_, index) => now[index]).map(({ fingerprint, account }) => [fingerprint, account]),
    );
    const certificates = await this.certificates.getMany([...members.keys()]);
    return certificates.filter(
      (one) => isServed(one) && one.alone !== true && one.owner?.account === members.get(one.fingerprint),
    );
  }

  async #isMember({ organisation, account, rolesKey }: KeyringDocument): Promise<boolean> {
    return Object.hasOwn(await this.verifier.rolesOf(account, rolesKey), organisation);
  }

  #armor(organisation: string, etag: string, certificates: readonly StoredCertificate[]): string {
    const kept = this.#kept.get(organisation);
    if (kept?.etag === etag) return kept.armor;
    const armor = armorOf(certificates);
    this.#kept.delete(organisation);
    const [oldest] = this.#kept.keys();
    if (oldest !== undefined && this.#kept.size >= LIMITS.keyringsKept) this.#kept.delete(oldest);
    this.#kept.set(organisation, { etag, armor });
    return armor;
  }
}

function present({ organisation, fingerprint, username, at }: KeyringDocument): KeyringEntry {
  return { organisation, fingerprint, username, since: at };
}

function full(organisation: string): DomainError {
  return new DomainError(
    'unprocessable',
    `The keyring of ${organisation} has ${LIMITS.keyringKeys} keys already, which is all it takes`,
    { reason: 'keyring_full', remedy: 'Take one out: sing key keyring remove' },
  );
}

function unreadableForGpg(fingerprint: string): DomainError {
  return new DomainError('unprocessable', 'Programs that read keyrings do not know keys of this kind', {
    reason: 'key_not_for_keyrings',
    about: { kind: 'key', name: fingerprint },
  });
}
