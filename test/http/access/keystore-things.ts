import { createHash } from 'node:crypto';
import { SCOPE_NAMES } from '#libs/contract';
import { systemClock } from '#libs/core';
import { armorKey, clearSign, fingerprintOf, generateKey, type PgpKey, publicPart } from '#libs/pgp';
import type { AccountName } from '../../support/access/callers.js';
import type { About } from './matrix.js';
import { BYSTANDER, usernameOf, VAULT, World } from './world.js';

type Holder = AccountName | typeof BYSTANDER;

/** A key, with what proves that somebody has it. */
export interface Made {
  readonly fingerprint: string;
  readonly armor: string;
  readonly bytes: Uint8Array;
  readonly userId: string;
  readonly secret: PgpKey;
}

/** A keystore with keys that accounts own. Keys come by import: of uploads each account has so many an hour. */
export class KeystoreThings {
  readonly #kept = new Map<string, Promise<Made>>();

  private constructor(
    readonly world: World,
    /** A key that everybody can find. */
    readonly shown: Made,
  ) {}

  static async prepare(): Promise<KeystoreThings> {
    const things = new KeystoreThings(await World.start(), await newKey('Shown'));
    await things.#import(things.shown);
    return things;
  }

  /** A key that nobody has brought. */
  newKey(): Promise<Made> {
    return newKey(`Person${this.world.next()}`);
  }

  /** The key that a request is about, which is used up by it: of the caller, or of somebody else. */
  async key(about: About<KeystoreThings>): Promise<Made> {
    const key = await this.newKey();
    if (!about.missing) await this.#own(key, this.#holder(about));
    return key;
  }

  /** A key all of whose user ids its owner hides: for all others it is not there. */
  unseen(about: About<KeystoreThings>): Promise<Made> {
    if (about.missing) return this.newKey();
    const holder = this.#holder(about);
    return this.#once(`unseen ${holder}`, async () => {
      const key = await this.newKey();
      await this.#own(key, holder);
      const hashes = [createHash('sha256').update(key.userId).digest('hex')];
      await this.#as(holder, 'PUT', `/v1/keys/${key.fingerprint}/hidden`, { hashes });
      return key;
    });
  }

  /** A key that its owner may put into the keyring of an organisation. */
  async owned({ caller }: About<KeystoreThings>): Promise<Made> {
    const key = await this.newKey();
    await this.#own(key, caller.account ?? BYSTANDER);
    return key;
  }

  /** A key in a keyring: of the caller in the own organisation, or of a member in the private one. */
  async entry(about: About<KeystoreThings>): Promise<{ organisation: string; fingerprint: string }> {
    const { caller, object, missing } = about;
    const own = object === 'own';
    const organisation = own ? `of-${caller.account ?? 'owner'}` : VAULT;
    const key = await this.newKey();
    if (!missing) {
      const holder = own ? this.#holder(about) : 'owner';
      await this.#own(key, holder);
      await this.#as(holder, 'PUT', `/v1/keyrings/${organisation}/keys/${key.fingerprint}`);
    }
    return { organisation, fingerprint: key.fingerprint };
  }

  /** Sees to it that the private organisation has a keyring. */
  async keyring(): Promise<void> {
    await this.#once('keyring', async () => {
      const key = await this.newKey();
      await this.#own(key, 'owner');
      await this.#as('owner', 'PUT', `/v1/keyrings/${VAULT}/keys/${key.fingerprint}`);
      return key;
    });
  }

  /** The challenge of the caller for a key that is there, signed with it; or with another text in it. */
  async claim({ caller, object }: About<KeystoreThings>): Promise<{ fingerprint: string; signed: string }> {
    const key = await this.newKey();
    await this.#import(key);
    const { text } = await this.#as(
      caller.account ?? BYSTANDER,
      'POST',
      `/v1/keys/${key.fingerprint}/challenge`,
    );
    return { fingerprint: key.fingerprint, signed: await signedBy(key, object === 'forged' ? 'mine' : text) };
  }

  /** A key that is blocked; one that is not, for what is missing. */
  async blocked({ missing }: About<KeystoreThings>): Promise<string> {
    const { fingerprint } = await this.newKey();
    if (!missing) await this.world.asAdmin('PUT', `/v1/keys/blocked/${fingerprint}`);
    return fingerprint;
  }

  #holder({ object, caller }: About<KeystoreThings>): Holder {
    return object === 'own' ? (caller.account ?? BYSTANDER) : BYSTANDER;
  }

  async #own(key: Made, holder: Holder): Promise<void> {
    await this.#import(key);
    const path = `/v1/keys/${key.fingerprint}`;
    const { text } = await this.#as(holder, 'POST', `${path}/challenge`);
    await this.#as(holder, 'POST', `${path}/claim`, { signed: await signedBy(key, text) });
  }

  async #import({ bytes }: Made): Promise<void> {
    const token = await this.world.token('admin', SCOPE_NAMES);
    await this.world.must({ method: 'POST', path: '/v1/keys/import', token, body: bytes });
  }

  async #as(holder: Holder, method: string, path: string, json?: object) {
    const token = await this.world.token(holder === BYSTANDER ? holder : usernameOf(holder));
    return this.world.must({ method, path, token, ...(json !== undefined && { json }) });
  }

  #once(name: string, make: () => Promise<Made>): Promise<Made> {
    const known = this.#kept.get(name) ?? make();
    this.#kept.set(name, known);
    return known;
  }
}

async function newKey(name: string): Promise<Made> {
  const email = `${name.toLowerCase()}@example.org`;
  const secret = await generateKey({ name, email, passphrase: '', algorithm: 'ed25519', clock: systemClock });
  const key = await publicPart(secret);
  const [userId = ''] = key.key.getUserIDs();
  return {
    fingerprint: fingerprintOf(key).toLowerCase(),
    armor: armorKey(key),
    bytes: key.bytes,
    userId,
    secret,
  };
}

const signedBy = async ({ secret }: Made, text: string): Promise<string> =>
  (await clearSign(text, { key: secret, clock: systemClock })).toString();
