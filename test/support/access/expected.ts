import { scopeCovers, type ScopeName } from '#libs/contract';
import { type Caller, CALLERS, scopesOf, scopesThere, standingOf } from './callers.js';
import { ACCESS, type ObjectName, type Rule, type Standing, STANDINGS } from './table.js';

/** What a caller has to get. */
export type Outcome =
  | {
      readonly kind: 'done';
      /** Of a list: whether the object is in it. */
      readonly shown?: boolean;
      /** The answer is the one for what does not exist, though the caller may. */
      readonly asMissing?: true;
    }
  | {
      readonly kind: 'refused';
      readonly status: 401 | 403 | 404;
      /** The caller may not know of the object: the answer is the one for what does not exist, to the last byte. */
      readonly asMissing: boolean;
    }
  /** Led to where people sign in. */
  | { readonly kind: 'sign-in' };

export interface Cell {
  readonly caller: Caller;
  readonly object: ObjectName;
  readonly outcome: Outcome;
}

const isAtLeast = (standing: Standing, least: Standing): boolean =>
  STANDINGS.indexOf(standing) >= STANDINGS.indexOf(least);

const has = (scopes: readonly ScopeName[], wanted: ScopeName): boolean =>
  scopes.some((held) => scopeCovers(held, wanted));

/** What the table says about one caller and one object; undefined where there is nothing to ask. */
export function expectedOf(rule: Rule, caller: Caller, object: ObjectName): Outcome | undefined {
  const standing = standingOf(caller, object, rule);
  if (standing === undefined) return undefined;
  const refused = (status: 401 | 403 | 404, asMissing = false): Outcome => ({
    kind: 'refused',
    status,
    asMissing,
  });
  if (rule.by === 'session') {
    const isLed = caller.shows !== 'session' || (rule.answers === 'sign-in' && object !== 'forged');
    if (isLed) return { kind: 'sign-in' };
  } else if (rule.by !== 'the request itself') {
    const bad = badCredentials(rule, caller);
    if (bad !== undefined) return refused(bad);
  }
  if (object === 'forged') return refused(rule.forged ?? 403, true);

  const isPublic = object === 'public';
  const belongsToNobody = object === 'nothing' || object === 'proven';
  const there = scopesThere(caller, rule);
  const reaches = rule.reachedBy === undefined || rule.reachedBy.some((scope) => has(there, scope));
  const knows = isPublic || belongsToNobody || (reaches && isAtLeast(standing, rule.sees ?? 'reader'));
  const least = isPublic ? (rule.mayPublic ?? rule.may) : rule.may;
  const allowed = knows && isAtLeast(standing, least);
  if (rule.scope !== undefined && !has(scopesOf(caller, rule), rule.scope)) return refused(403, !knows);
  if (rule.lists === true) return { kind: 'done', shown: allowed };
  if (!knows) return refused(rule.hidden, true);
  if (!allowed) return refused(403);
  if (least !== 'nobody' && rule.scopeThere !== undefined && !has(there, rule.scopeThere))
    return refused(403);
  const isTyped = caller.shows !== 'token' || standing === 'admin';
  const needsTyping = rule.typed === 'always' || (rule.typed === 'but itself' && object !== 'itself');
  if (needsTyping && !isTyped) return refused(403);
  return rule.alike === true ? { kind: 'done', asMissing: true } : { kind: 'done' };
}

/** The status for what tells nothing about the caller, or nothing good; undefined: go on. */
function badCredentials(rule: Rule, { shows, fault, exchanged }: Caller): 401 | 404 | undefined {
  // No route of an API looks at a cookie.
  if (shows === 'nothing' || shows === 'session') return rule.by === 'anybody' ? undefined : 401;
  if (shows === 'password') return rule.by === 'token or password' ? undefined : 401;
  const taken =
    exchanged === undefined ||
    rule.exchanged === 'any service' ||
    (rule.exchanged === 'this service' && exchanged === 'for this service');
  return fault === undefined && taken ? undefined : (rule.badToken ?? 401);
}

/** Everything that has to be asked at a route with this rule. */
export function cellsOf(rule: Rule): Cell[] {
  return CALLERS.filter((caller) => isWorthAsking(caller, rule)).flatMap((caller) =>
    rule.objects.flatMap((object) => {
      const outcome = expectedOf(rule, caller, object);
      return outcome === undefined ? [] : [{ caller, object, outcome }];
    }),
  );
}

/** Where passwords and sessions are not taken, one of each is enough to see that: the one that could do most. */
function isWorthAsking({ shows, account, exchanged, scopes }: Caller, rule: Rule): boolean {
  if (shows === 'password') return rule.by === 'token or password' || account === 'deputy';
  if (shows === 'session') return rule.by === 'session' || account === 'deputy';
  if (exchanged === 'for this service') return rule.by === 'token' || rule.exchanged !== undefined;
  return scopes !== 'elsewhere' || rule.reachedBy !== undefined || rule.scopeThere !== undefined;
}

/** The rule of a route, as `GET /v1/build/{id}`. @throws Error for one that is not in the table */
export function ruleOf(route: string): Rule {
  const rows: Readonly<Record<string, Rule>> = Object.assign({}, ...Object.values(ACCESS));
  const found = rows[route];
  if (found === undefined) throw new Error(`${route} is not in the table of access`);
  return found;
}

/** What a caller with a good token and without any right gets for something of others at a route. */
export function expectedOfStranger(route: string, object: ObjectName): Outcome | undefined {
  const stranger = CALLERS.find(({ name }) => name === 'stranger');
  return stranger && expectedOf(ruleOf(route), stranger, object);
}
