import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { type Actor, hasScope, type ScopeName } from '#libs/contract';
import { DomainError } from '#libs/core';
import { type Access, readAccess } from './access.js';
import { setActor } from './actor.js';
import { parseAuthorization } from './authorization.js';
import { PasswordCheck } from './password-check.js';
import { credentialsMissing, passwordNotTaken } from './refusals.js';
import { TokenVerifier } from './verifier.js';

const READING = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Stands before every route of every service: no route is open unless its decorators say so. */
@Injectable()
export class TokenGuard implements CanActivate {
  constructor(
    private readonly verifier: TokenVerifier,
    private readonly passwords: PasswordCheck,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const access = readAccess(context.getHandler(), context.getClass());
    if (access.kind === 'self-authenticated') return true;
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const actor = await this.#actorOf(request, access);
    if (actor === undefined) return true;
    requireScopes(actor, access.scopes);
    if (!READING.has(request.method)) this.verifier.requireFresh();
    setActor(request, actor);
    return true;
  }

  async #actorOf(request: FastifyRequest, access: Access): Promise<Actor | undefined> {
    const presented = parseAuthorization(request.headers.authorization);
    if (presented.kind === 'bearer') return this.verifier.verify(presented.token, access.audience);
    if (presented.kind === 'password') {
      if (!access.acceptsPassword) throw passwordNotTaken();
      return this.passwords.check({ ...presented, address: request.ip });
    }
    if (access.kind === 'anonymous') return undefined;
    throw credentialsMissing();
  }
}

function requireScopes(actor: Actor, scopes: readonly ScopeName[]): void {
  const missing = scopes.find((scope) => !hasScope(actor, scope));
  if (missing === undefined) return;
  throw new DomainError('forbidden', `The token lacks the scope ${missing}`, {
    reason: 'scope_missing',
    remedy: `Use a token that was made with the scope ${missing}`,
  });
}
