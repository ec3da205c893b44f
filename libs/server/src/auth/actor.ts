import type { Actor } from '#libs/contract';
import { credentialsMissing } from './refusals.js';

/** The caller of a request, kept beside it: nothing that a client sends can put an actor here. */
const actors = new WeakMap<object, Actor>();

/** The verified caller of `request` (Fastify's request object), if a token was presented. For handlers and logs. */
export function actorOf(request: object): Actor | undefined {
  return actors.get(request);
}

/** Called by the guard alone. */
export function setActor(request: object, actor: Actor): void {
  actors.set(request, actor);
}

/** What a log or audit line may say about a caller: never the token. */
export function describeActor(actor: Actor): Record<string, unknown> {
  return {
    account: actor.accountId,
    username: actor.username,
    tokenId: actor.tokenId,
    ...(actor.originTokenId === actor.tokenId ? {} : { originTokenId: actor.originTokenId }),
    ...(actor.via === undefined ? {} : { via: actor.via }),
    ...(actor.subject === undefined ? {} : { subject: actor.subject }),
  };
}

/** The actor of a route that the guard does not let anybody reach without one. @throws DomainError `unauthorized` */
export function requireActor(actor: Actor | undefined): Actor {
  if (actor === undefined) throw credentialsMissing();
  return actor;
}
