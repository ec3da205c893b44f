import { Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { DomainError } from '#libs/core';
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
    if (session !== undefined && session.identifier !== identifier)
      reply.header('set-cookie', sessionCookie(session.identifier));
    return session;
  }

  /**
   * The session of a form; undefined for whoever has to sign in.
   * @throws DomainError `forbidden` when another page has made the form
   */
  async ofForm(request: FastifyRequest, reply: FastifyReply, proof: string): Promise<Session | undefined> {
    requireOwnForm(request.headers);
    const session = await this.of(request, reply);
    if (session !== undefined && !isFormProof(session, proof))
      throw new DomainError('forbidden', 'This form is not of your session: load the page again', {
        reason: 'foreign_form',
      });
    return session;
  }
}
