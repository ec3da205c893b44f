import { Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { requestOrigin } from '#libs/audit';
import type { AuditAction } from '#libs/contract';
import { DomainError } from '#libs/core';
import { noteChange } from '#libs/server';
import { isFormProof, type Session, SessionsService } from '../sessions.service.js';
import { requireOwnForm } from './own-form.js';
import { readSessionCookie, sessionCookie } from './session-cookie.js';

/** The session that a request comes with. */
@Injectable()
export class CurrentSession {
  constructor(private readonly sessions: SessionsService) {}

  /** The session of a page; undefined for whoever has to sign in. Gives the browser a new identifier when it is time. */
  async of(request: FastifyRequest, reply: FastifyReply): Promise<Session | undefined> {
    const identifier = readSessionCookie(request.headers.cookie);
    if (identifier === undefined) return undefined;
    const session = await this.sessions.resume(identifier);
    if (session === undefined) return undefined;
    // No copy: whose password was right is known by the object itself. Each request has its own.
    Object.assign(session.actor, { from: requestOrigin(request.ip, request.headers['user-agent']) });
    if (session.identifier !== identifier) reply.header('set-cookie', sessionCookie(session.identifier));
    return session;
  }

  /**
   * The session of a form; undefined for whoever has to sign in.
   * @param action what the form changes: when it is refused, that is recorded
   * @throws DomainError `forbidden` when another page has made the form
   */
  async ofForm(
    request: FastifyRequest,
    reply: FastifyReply,
    proof: string,
    action: AuditAction,
  ): Promise<Session | undefined> {
    requireOwnForm(request.headers);
    const session = await this.of(request, reply);
    noteChange(request, { action, caller: session?.actor });
    if (session !== undefined && !isFormProof(session, proof))
      throw new DomainError('forbidden', 'This form is not of your session: load the page again', {
        reason: 'foreign_form',
      });
    return session;
  }
}
