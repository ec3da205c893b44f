import { type Actor, entityRole, hasScope, scopeAllowsAt } from '#libs/contract';

/** Whether somebody may do something, and why not. */
export type Decision = { readonly allowed: true } | { readonly allowed: false; readonly reason: string };

const yes: Decision = { allowed: true };
const no = (reason: string): Decision => ({ allowed: false, reason });

/**
 * Whether the image of a build may go to this place: asked at submit, so that nobody waits for a build in vain (builder contract §4.3).
 * The rank of an administrator does not help: a build has none of it, and its image would be refused after all the work.
 */
export function mayPublish(actor: Actor, place: string): Decision {
  const [entity = ''] = place.split('/');
  if (!scopeAllowsAt(actor, 'library:write', place))
    return no(`The token lacks the scope library:write for ${place}`);
  const role = entityRole(actor, entity);
  if (role === 'owner' || role === 'writer') return yes;
  return no(`${actor.username} may not write to ${entity}`);
}

/** Whether somebody may see and steer a build: its owner, and administrators. */
export function maySee(actor: Actor, build: { readonly accountId: string }): Decision {
  return actor.accountId === build.accountId || isAdministrator(actor)
    ? yes
    : no('This build belongs to somebody else');
}

/** What of a build says whose token a worker has for it. */
export interface WorkedOn {
  readonly accountId: string;
  readonly place: string;
  readonly originTokenId?: string | undefined;
}

/**
 * Whether a token was made for this build and nothing else: exchanged by the builder, for its id and place, from the very token
 * with which it was submitted. Who could have any token exchanged, and name this build, would have none of that person's.
 */
export function mayWork(actor: Actor, id: string, build: WorkedOn | undefined): Decision {
  const { via, subject, accountId, originTokenId } = actor;
  const isFor = via === 'builder' && subject?.job === id && subject.container === build?.place;
  const isOf = accountId === build?.accountId && originTokenId === (build.originTokenId ?? originTokenId);
  return isFor && isOf ? yes : no('This token is not for this build');
}

export function isAdministrator(actor: Actor): boolean {
  return actor.administrator && hasScope(actor, 'admin');
}
