import { createParamDecorator, type ExecutionContext, SetMetadata, type Type } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { Actor, AudienceName, ScopeName } from '#libs/contract';
import { actorOf } from './actor.js';

/** The metadata that the decorators leave on controllers and handlers; read by {@link readAccess} alone. */
export const ACCESS_METADATA = 'scs:access';
export const SCOPES_METADATA = 'scs:scopes';
export const AUDIENCE_METADATA = 'scs:audience';
export const PASSWORD_METADATA = 'scs:password';
export const EXPIRY_METADATA = 'scs:after-expiry';

/**
 * Anybody may ask: no token is needed. A token that is presented is still checked, and a bad one (or a password) is refused with 401,
 * so that nobody mistakes an expired login for an empty answer. The route must be in the table of `openRoutes.ts`.
 */
export const Anonymous = () => SetMetadata(ACCESS_METADATA, 'anonymous');

/**
 * The route checks by itself who asks (a signed URL, a client assertion): the Authorization header is not looked at.
 * The route must be in the table of `openRoutes.ts`.
 */
export const SelfAuthenticated = () => SetMetadata(ACCESS_METADATA, 'self-authenticated');

/** The token must carry every one of these scopes, at any place: where it counts is decided by the service's policy. */
export const Requires = (...scopes: readonly ScopeName[]) => SetMetadata(SCOPES_METADATA, scopes);

/**
 * Which service a controller belongs to. Tokens of people are good at every service; an exchanged token is good only at
 * controllers that name the token's audience here. Without this decorator exchanged tokens are refused.
 */
export const Audience = (service: AudienceName) => SetMetadata(AUDIENCE_METADATA, service);

/** User name and password (`Authorization: Basic`) are taken in place of a token. Only for making and ending tokens. */
export const AcceptsPassword = () => SetMetadata(PASSWORD_METADATA, true);

/** What a route takes an expired token for. */
export interface ExpiryRule<R = never> {
  /** The provider of the service that knows what was begun. */
  readonly rules: Type<R>;
  readonly goesOn: (rules: R, actor: Actor, request: FastifyRequest) => Promise<boolean>;
}

/**
 * An expired token is taken for what was begun with it while it was good, so that nothing dies of its own length (ADR 10). Whoever
 * says so sees the address and the headers; what is in the body, and which object a name leads to, the service compares itself
 * (`actor.expired`). Revoked tokens, disabled accounts and lost roles end everything, as ever.
 */
export const AfterExpiry = <R>(rules: Type<R>, goesOn: ExpiryRule<R>['goesOn']) =>
  SetMetadata(EXPIRY_METADATA, { rules, goesOn } satisfies ExpiryRule<R>);

/** The verified caller of this request; undefined only on `@Anonymous` routes without a token. */
export const CurrentActor = createParamDecorator((_: unknown, context: ExecutionContext): Actor | undefined =>
  actorOf(context.switchToHttp().getRequest<object>()),
);
