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

/** Whether a token was made for this build and nothing else. */
export function mayWork(actor: Actor, buildId: string): Decision {
  return actor.via === 'builder' && actor.subject?.job === buildId
    ? yes
    : no('This token is not for this build');
}

export function isAdministrator(actor: Actor): boolean {
  return actor.administrator && hasScope(actor, 'admin');
}
