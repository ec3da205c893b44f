import { createHash, randomBytes } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { decodeJwt } from 'jose';
import { CertificatesStore } from '#apps/keystore/src/certificates.store';
import type { Party } from '#apps/keystore/src/collections.store';
import { keyEvent } from '#apps/keystore/src/events';
import { KeyringsStore } from '#apps/keystore/src/keyrings.store';
import { NoticesStore } from '#apps/keystore/src/notices.store';
import { type CertificateRecord, recordOf } from '#apps/keystore/src/record';
import { parseStored } from '#apps/keystore/src/stored';
import { wkdName } from '#apps/keystore/src/wkd/name';
import { clearSigned, newTestKey, type TestKey } from '../../support/pgp-keys.js';
import type { About } from './matrix.js';
import { BYSTANDER, GUILD, usernameOf, VAULT, World } from './world.js';

/** Seconds until the keys that are shown expire. */
const TEN_DAYS = 864_000;

/** A key of somebody, whether it is stored or not. */
export interface KeyThing extends TestKey {
  readonly address: string;
}

interface Made {
  readonly key: KeyThing;
  readonly record: CertificateRecord;
}

/** Whose a key is, and what others see of it. */
interface Wanted {
  readonly name: string;
  readonly owner: string;
  readonly contributors: readonly string[];
  /** All its user ids are hidden, so that it is not served. */
  readonly hidden: boolean;
}

/** A keystore in which everybody has a key of their own, and some have brought what another one owns. */
export class KeyThings {
  readonly #made = new Map<string, Promise<Made>>();

  private constructor(
    readonly world: World,
    /** Not stored: for what is no proof, and for what is imported. */
    readonly spare: TestKey,
  ) {}

  static async prepare(): Promise<KeyThings> {
    const things = new KeyThings(await World.start(), await newTestKey('Spare'));
    const token = await things.world.token('owner');
    for (const [organisation, hidden] of [
      [GUILD, false],
      [VAULT, true],
    ] as const) {
      const { fingerprint } = await things.#stored(sharedKey('owner', hidden));
      await things.world.must({
        method: 'PUT',
        path: `/v1/keyrings/${organisation}/keys/${fingerprint}`,
        token,
      });
    }
    return things;
  }

  /** What a request is about: a key as it was made, also when another request has changed it or taken it away. */
  async key(about: About<KeyThings>, { served = false } = {}): Promise<KeyThing> {
    const { object, caller, missing } = about;
    if (missing || object === 'nothing') return nobodysKey();
    if (object === 'own') return this.ownOf(caller.account ?? 'stranger', { served });
    if (object === 'public' || object === 'private')
      // One account owns a key: when the deputy asks it is the deputy.
      return this.#stored(sharedKey(caller.account === 'deputy' ? 'deputy' : 'owner', object === 'private'));
    return this.ownOf(BYSTANDER, { served });
  }

  /** The key of an account. */
  ownOf(account: string, { served = false } = {}): Promise<KeyThing> {
    const name = `${served ? 'shown' : 'hidden'}-${account}`;
    return this.#stored({ name, owner: account, contributors: [], hidden: !served });
  }

  /** A key of whose end its owner was told. @returns its fingerprint */
  async noticed(about: About<KeyThings>): Promise<string> {
    const { fingerprint } = await this.key(about, { served: true });
    await this.world.app.get(NoticesStore).tell();
    return fingerprint;
  }

  /** The challenge for a key, signed; forged: with the right key a text that is none, or the right one with another key. */
  async proof(about: About<KeyThings>, key: KeyThing): Promise<string> {
    const { object, caller, missing } = about;
    if (object === 'forged') return clearSigned(missing ? this.spare : key, 'This is my key');
    const token = await this.world.token(usernameOf(caller.account ?? 'stranger'));
    const path = `/v1/keys/${key.fingerprint}/challenge`;
    const { text } = await this.world.must({ method: 'POST', path, token });
    return clearSigned(object === 'own' ? key : this.spare, text);
  }

  /** A key that somebody has put into the keyring of the private organisation. @returns its fingerprint */
  async inKeyring(about: About<KeyThings>): Promise<string> {
    const username = about.object === 'own' ? (about.caller.account ?? 'stranger') : BYSTANDER;
    const { fingerprint } = await this.ownOf(username);
    const { account } = await this.#party(username);
    const at = new Date().toISOString();
    await this.world.app
      .get(KeyringsStore)
      .put(
        { organisation: VAULT, fingerprint, account, username, rolesKey: 'none', at },
        { action: 'keyring.add', actor: null, subject: { kind: 'key', name: fingerprint } },
      );
    return fingerprint;
  }

  /** The fingerprint of a key that may not come. */
  async blocked(serial = 0): Promise<string> {
    const fingerprint = serial.toString(16).padStart(40, '0');
    await this.world.asAdmin('PUT', `/v1/keys/blocked/${fingerprint}`);
    return fingerprint;
  }

  async #stored(wanted: Wanted): Promise<KeyThing> {
    const { name } = wanted;
    const making = this.#made.get(name) ?? this.#make(wanted);
    this.#made.set(name, making);
    const { key, record } = await making;
    await this.world.app
      .get(CertificatesStore)
      .change(key.fingerprint, async ({ certificate }) =>
        isDeepStrictEqual(certificate, record.certificate)
          ? undefined
          : { record, event: keyEvent('key.add', null, certificate, record.certificate) },
      );
    return key;
  }

  async #make({ name, owner, contributors, hidden }: Wanted): Promise<Made> {
    const key = { ...(await newTestKey(name, { expiresIn: TEN_DAYS })), address: addressOf(name) };
    const holders = {
      // Whose address it is, so that the Web Key Directory would have it.
      owner: { ...(await this.#party(owner)), email: key.address },
      contributors: await Promise.all(contributors.map((one) => this.#party(one))),
      hidden: hidden ? [createHash('sha256').update(`${name} <${key.address}>`).digest('hex')] : [],
    };
    const updated = { updatedAt: new Date().toISOString(), updatedBy: holders.owner.account };
    return { key, record: recordOf(await parseStored({ armor: key.armored }), holders, updated) };
  }

  async #party(account: string): Promise<Party> {
    const username = account === 'robot' ? usernameOf(account) : account;
    const { sub } = decodeJwt(await this.world.token(username));
    return { account: String(sub), username, email: '', at: new Date().toISOString() };
  }
}

/** A key that some have brought and one of them owns; who they are is what the table says of organisations. */
function sharedKey(owner: 'owner' | 'deputy', hidden: boolean): Wanted {
  return {
    name: `${hidden ? 'private' : 'public'}-${owner}`,
    owner,
    contributors: ['reader', 'writer', ...(hidden ? ['robot'] : [])],
    hidden,
  };
}

/** One that is nowhere. */
function nobodysKey(): KeyThing {
  const name = `nobody-${randomBytes(4).toString('hex')}`;
  const nothing = (): never => {
    throw new Error('Nobody has this key');
  };
  return {
    fingerprint: randomBytes(20).toString('hex'),
    address: addressOf(name),
    armored: '',
    get secret(): never {
      return nothing();
    },
    revoked: async () => nothing(),
  };
}

const addressOf = (name: string): string => `${name}@example.org`;

/** How the Web Key Directory names an address. */
export const wkdHashOf = ({ address }: KeyThing): string => wkdName(address).hash;
