import { decodeJwt } from 'jose';
import { newObjectId } from '#libs/core';
import { type AccountName, scopesOf } from '../../support/access/callers.js';
import type { About } from './matrix.js';
import { BYSTANDER, usernameOf, VAULT, World } from './world.js';

/** Of every organisation. */
export const ROBOT = 'machine';
/** Of every organisation, and of no interest to anybody. */
export const MEMBER = 'somebody';

const ROLES: Readonly<Partial<Record<AccountName, string>>> = {
  deputy: 'owner',
  owner: 'owner',
  writer: 'writer',
  reader: 'reader',
};

/** Accounts with organisations, robots and tokens. */
export class AuthThings {
  readonly #endable = new Map<string, { readonly id: string; readonly token: string }>();

  private constructor(readonly world: World) {}

  static async prepare(): Promise<AuthThings> {
    const world = await World.start();
    await world.addUser(MEMBER);
    const organisations = world.people.map((owner) => organisationOf(owner));
    for (const name of [VAULT, ...organisations])
      await world.asAdmin('POST', `/v1/auth/organisations/${name}/robots`, { name: ROBOT, role: 'writer' });
    return new AuthThings(world);
  }

  /** The account that a request is about. */
  account({ object, caller: { account }, missing }: About<AuthThings>): string {
    if (object === "a robot's") return `${VAULT}.${missing ? 'nobody' : ROBOT}`;
    if (missing) return 'nobody';
    return object === 'own' && account !== undefined ? usernameOf(account) : BYSTANDER;
  }

  /** The organisation that a request is about. */
  organisation({ object, caller: { account }, missing }: About<AuthThings>): string {
    if (missing) return 'nobodys';
    return object === 'own' ? organisationOf(account ?? '') : VAULT;
  }

  /** A member there who can be removed: the caller, or somebody. */
  async member(about: About<AuthThings>): Promise<{ username: string; after?: () => Promise<unknown> }> {
    const { account } = about.caller;
    const members = `/v1/auth/organisations/${this.organisation(about)}/members`;
    if (about.object === 'itself' && account !== undefined) {
      const role = ROLES[account];
      if (role === undefined) return { username: account };
      return { username: account, after: () => this.world.asAdmin('PUT', `${members}/${account}`, { role }) };
    }
    if (!about.missing) await this.world.asAdmin('PUT', `${members}/${MEMBER}`, { role: 'reader' });
    return { username: MEMBER };
  }

  /** The id of a token that is good, and can be ended. */
  async endable(about: About<AuthThings>): Promise<string> {
    if (about.missing) return newObjectId();
    const username = this.account(about);
    const known = this.#endable.get(username);
    if (known !== undefined && (await this.#isGood(known.token))) return known.id;
    const made = await this.world.newToken(username);
    this.#endable.set(username, made);
    return made.id;
  }

  /** A token that is to end itself: its id, and what presents it. */
  async ending({
    caller,
    rule,
    missing,
  }: About<AuthThings>): Promise<{ id: string; headers: Readonly<Record<string, string>> }> {
    if (missing) return { id: newObjectId(), headers: {} };
    const { account = 'stranger', fault, exchanged } = caller;
    // One that is no good stays.
    if (fault !== undefined || exchanged !== undefined)
      return {
        id: String(decodeJwt(await this.world.tokenOf(caller, rule, { service: 'auth' })).jti),
        headers: {},
      };
    const { id, token } = await this.world.newToken(usernameOf(account), scopesOf(caller, rule));
    return { id, headers: { authorization: `Bearer ${token}` } };
  }

  async #isGood(token: string): Promise<boolean> {
    return (await this.world.app.request('/v1/token-status', { token })).status === 200;
  }

  /** What a form of the caller's session carries; with a false one nobody has a session of. */
  async formProof({ caller: { account, shows }, object }: About<AuthThings>): Promise<string> {
    if (object === 'forged' || shows !== 'session' || account === undefined) return 'A'.repeat(43);
    return (await this.world.session(account)).proof;
  }
}

/** Everybody has an organisation of their own: who is somebody there is nobody elsewhere. */
function organisationOf(owner: string): string {
  return `of-${owner}`;
}
