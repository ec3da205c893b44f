import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import type { FastifyRequest } from 'fastify';
import { type Actor, hasScope, type ScopeName } from '#libs/contract';
import { requestOrigin } from '#libs/audit';
import { DomainError } from '#libs/core';
import { noteChange } from '../audit/changes.js';
import { type Access, accessOf } from './access.js';
import { setActor } from './actor.js';
import { parseAuthorization } from './authorization.js';
import { PasswordCheck } from './password-check.js';
import { credentialsMissing, passwordNotTaken } from './refusals.js';
import { type GoesOn, refusedCaller, TokenVerifier } from './verifier.js';

const READING = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Stands before every route of every service: no route is open unless its decorators say so. */
@Injectable()
export class TokenGuard implements CanActivate {
  constructor(
    private readonly verifier: TokenVerifier,
    private readonly passwords: PasswordCheck,
    private readonly modules: ModuleRef,
  ) {}

  /** Answers at once where there is nothing to wait for. */
  canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    const access = accessOf(context.getHandler(), context.getClass());
    return access.kind === 'self-authenticated' || this.#admit(context, access);
  }

  async #admit(context: ExecutionContext, access: Access): Promise<boolean> {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const caller = await this.#callerOf(request, access);
    if (caller === undefined) return true;
    // Before the rights are looked at: whoever is refused is known too.
    setActor(request, caller);
    requireScopes(caller, access.scopes);
    if (!READING.has(request.method)) this.verifier.requireFresh();
    return true;
  }

  /** Who asks. For a change also from where, and noted when the token is good no more: a refusal is recorded. */
  async #callerOf(request: FastifyRequest, access: Access): Promise<Actor | undefined> {
    const { action } = access;
    if (action === undefined) return this.#actorOf(request, access);
    const note = (actor: Actor | undefined): Actor | undefined => {
      const from = requestOrigin(request.ip, request.headers['user-agent']);
      // No copy: auth knows by the object itself whose password was right. Each request has its own.
      const caller = actor && Object.assign(actor, { from });
      noteChange(request, { action, caller });
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
    if (presented.kind === 'bearer')
      return this.verifier.verify(presented.token, access.audience, this.#goesOn(request, access));
    if (presented.kind === 'password') {
      if (!access.acceptsPassword) throw passwordNotTaken();
      const client = request.headers['user-agent'];
      return this.passwords.check({ ...presented, address: request.ip, client });
    }
    if (access.kind === 'anonymous') return undefined;
    throw credentialsMissing();
  }

  #goesOn(request: FastifyRequest, { afterExpiry }: Access): GoesOn | undefined {
    if (afterExpiry === undefined) return undefined;
    const { rules, goesOn } = afterExpiry;
    return (actor) => goesOn(this.modules.get(rules, { strict: false }), actor, request);
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
