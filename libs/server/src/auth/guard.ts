import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { type Actor, type AuditAction, hasScope, type ScopeName } from '#libs/contract';
import { requestOrigin } from '#libs/audit';
import { DomainError } from '#libs/core';
import { auditedAction, noteChange } from '../audit/changes.js';
import { type Access, readAccess } from './access.js';
import { setActor } from './actor.js';
import { parseAuthorization } from './authorization.js';
import { PasswordCheck } from './password-check.js';
import { credentialsMissing, passwordNotTaken } from './refusals.js';
import { refusedCaller, TokenVerifier } from './verifier.js';

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
    const caller = await this.#callerOf(request, access, auditedAction(context.getHandler()));
    if (caller === undefined) return true;
    setActor(request, caller);
    requireScopes(caller, access.scopes);
    if (!READING.has(request.method)) this.verifier.requireFresh();
    return true;
  }

  /** Who asks, from where. For a change it is noted also when the token is good no more: whoever refuses it may record that. */
  async #callerOf(
    request: FastifyRequest,
    access: Access,
    action: AuditAction | undefined,
  ): Promise<Actor | undefined> {
    const note = (actor: Actor | undefined): Actor | undefined => {
      const caller = actor && {
        ...actor,
        from: requestOrigin(request.ip, request.headers['user-agent']),
      };
      if (action !== undefined) noteChange(request, { action, caller });
      return caller;
    };
    try {
      return note(await this.#actorOf(request, access));
    } catch (error) {
      note(refusedCaller(error));
      throw error;
    }
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
  throw new DomainError('forbidden', `The token lacks the scope ${missing}`, { reason: 'scope_missing' });
}
