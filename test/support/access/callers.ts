import { SCOPE_NAMES, scopeCovers, type ScopeName } from '#libs/contract';
import { type ObjectName, type Rule, type Standing, STANDINGS } from './table.js';

/** The accounts of the world of the tests. `deputy` is an administrator, and an owner of the organisation besides. */
export type AccountName = 'stranger' | 'reader' | 'writer' | 'owner' | 'deputy' | 'admin' | 'robot';

/** What is wrong with a token. */
export type Fault = 'expired' | 'revoked' | 'other issuer' | 'alg none' | 'HMAC with the public key';

export interface Caller {
  readonly name: string;
  readonly shows: 'nothing' | 'token' | 'password' | 'session';
  /** Undefined: nobody's. */
  readonly account?: AccountName;
  readonly fault?: Fault;
  readonly exchanged?: 'for this service' | 'for another service';
  /** Of the token. `all but admin` unless said otherwise; passwords and sessions have what the account may have. */
  readonly scopes?: 'all' | 'all but what is needed' | 'elsewhere';
}

/**
 * Who asks. Whatever is wrong with a token is wrong with the deputy's, who could do everything: so it is that fault, and
 * nothing else, for which it is refused.
 */
export const CALLERS: readonly Caller[] = [
  { name: 'anonymous', shows: 'nothing' },
  { name: 'stranger', shows: 'token', account: 'stranger' },
  { name: 'reader', shows: 'token', account: 'reader' },
  { name: 'writer', shows: 'token', account: 'writer' },
  { name: 'owner', shows: 'token', account: 'owner' },
  { name: 'robot', shows: 'token', account: 'robot' },
  { name: 'admin', shows: 'token', account: 'admin', scopes: 'all' },
  { name: 'admin without the scope', shows: 'token', account: 'admin' },
  { name: 'wrong scope', shows: 'token', account: 'deputy', scopes: 'all but what is needed' },
  { name: 'scope elsewhere', shows: 'token', account: 'deputy', scopes: 'elsewhere' },
  { name: 'exchanged token', shows: 'token', account: 'admin', exchanged: 'for this service' },
  { name: 'wrong audience', shows: 'token', account: 'deputy', exchanged: 'for another service' },
  ...(['expired', 'revoked', 'other issuer', 'alg none', 'HMAC with the public key'] as const).map(
    (fault) => ({ name: fault, shows: 'token', account: 'deputy', fault, scopes: 'all' }) as const,
  ),
  ...(['stranger', 'reader', 'owner', 'deputy'] as const).flatMap((account) => [
    { name: `${account} by password`, shows: 'password', account } as const,
    { name: `${account} signed in`, shows: 'session', account } as const,
  ]),
];

/** Everything but what administrators do. */
export const EVERYDAY: readonly ScopeName[] = SCOPE_NAMES.filter((name) => name !== 'admin');
const PLACED: readonly ScopeName[] = EVERYDAY.filter((name) => name.startsWith('library:'));

/** The scopes that a caller's token carries, here or at some place. */
export function scopesOf({ shows, account, scopes, exchanged }: Caller, rule: Rule): readonly ScopeName[] {
  if (shows !== 'token') return account === 'deputy' ? SCOPE_NAMES : EVERYDAY;
  if (exchanged !== undefined) return ['library:read', 'library:write', 'keystore:write', 'build'];
  if (scopes === 'all') return SCOPE_NAMES;
  if (scopes !== 'all but what is needed') return EVERYDAY;
  const { scope, scopeThere, reachedBy = [] } = rule;
  const needed = scope ?? scopeThere;
  return EVERYDAY.filter((name) =>
    needed === undefined ? !reachedBy.includes(name) : !scopeCovers(name, needed),
  );
}

/** Those that count at the object. */
export function scopesThere(caller: Caller, rule: Rule): readonly ScopeName[] {
  const carried = scopesOf(caller, rule);
  return caller.scopes === 'elsewhere' ? carried.filter((name) => !PLACED.includes(name)) : carried;
}

const ROLES: Readonly<Record<AccountName, Standing>> = {
  stranger: 'stranger',
  reader: 'reader',
  writer: 'writer',
  owner: 'owner',
  deputy: 'owner',
  admin: 'stranger',
  robot: 'writer',
};

/** What a caller is to an object; undefined: there is no such object for this caller, and nothing to ask. */
export function standingOf(caller: Caller, object: ObjectName, rule: Rule): Standing | undefined {
  const { account, shows, exchanged } = caller;
  const hasRank = account === 'admin' || account === 'deputy';
  const isAdmin = hasRank && scopesOf(caller, rule).includes('admin');
  const rank = isAdmin ? (rule.rank ?? 'admin') : 'nobody';
  const atLeast = (standing: Standing): Standing =>
    STANDINGS.indexOf(standing) < STANDINGS.indexOf(rank) ? rank : standing;
  const isOwn = object === 'own' || object === 'itself';
  if (account === undefined) return isOwn ? undefined : 'nobody';
  // A password and a session are no tokens that could end themselves.
  if (object === 'itself' && rule.typed === 'but itself' && shows !== 'token') return undefined;
  // A cookie says nothing where it is not looked at.
  if (shows === 'session' && rule.by !== 'session') return 'nobody';
  switch (object) {
    case 'own':
      // A robot owns nothing.
      if (account === 'robot') return undefined;
      return exchanged === 'for this service' && rule.may === 'worker' ? 'worker' : atLeast('owner');
    case 'itself':
      if (rule.typed === 'but itself') return atLeast('owner');
      // The administrator is no member, and a robot no person.
      if (account === 'admin' || account === 'robot') return undefined;
      return atLeast(account === 'stranger' ? 'stranger' : 'owner');
    case 'public':
      // The organisation of the robot is the private one.
      return atLeast(account === 'robot' ? 'stranger' : ROLES[account]);
    case 'private':
    case "a robot's":
      return atLeast(ROLES[account]);
    case 'proven':
    case 'forged':
      return atLeast(rule.by === 'session' ? 'owner' : 'stranger');
    case 'nothing':
    case "another person's":
      return atLeast('stranger');
  }
}
