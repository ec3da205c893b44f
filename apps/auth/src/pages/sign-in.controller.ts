import { Body, Controller, Get, Header, HttpCode, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { DomainError } from '#libs/core';
import { Audited, FormBody, Page, SelfAuthenticated } from '#libs/server';
import { AUTH_LIMITS } from '../limits.js';
import { SessionsService } from '../sessions.service.js';
import { SignInService } from '../sign-in.service.js';
import { CurrentSession } from './current-session.js';
import { requireOwnForm } from './own-form.js';
import { noSessionCookie, readSessionCookie, sessionCookie } from './session-cookie.js';
import { signInPage } from './sign-in-page.js';

const SignIn = z.object({ username: z.string().max(256), password: z.string().max(1024) });
const SignOut = z.object({ proof: z.string().max(100) });

/** Signing in to the pages with user name and password, and out again. */
@Controller('auth')
@SelfAuthenticated()
export class SignInController {
  constructor(
    private readonly signIns: SignInService,
    private readonly sessions: SessionsService,
    private readonly current: CurrentSession,
  ) {}

  @Get('sign-in')
  @Page()
  @Header('cache-control', 'no-store')
  form(): string {
    return signInPage({});
  }

  @Post('sign-in')
  @HttpCode(303)
  @Page()
  @Header('cache-control', 'no-store')
  @Audited('session.open')
  async signIn(
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
    @Body(new FormBody(SignIn, { limit: AUTH_LIMITS.body })) form: z.infer<typeof SignIn>,
  ): Promise<string> {
    requireOwnForm(request.headers);
    try {
      const { ip: address, headers } = request;
      const actor = await this.signIns.check({ ...form, address, client: headers['user-agent'] });
      // A session that this browser had before ends: nobody can have planted it.
      const before = readSessionCookie(request.headers.cookie);
      if (before !== undefined) await this.sessions.end(before, actor.from);
      reply.header('set-cookie', sessionCookie(await this.sessions.begin(actor)));
    } catch (error) {
      if (!(error instanceof DomainError) || error.status >= 500) throw error;
      void reply.status(error.status);
      if (error.retryAfter !== undefined) reply.header('retry-after', String(error.retryAfter));
      return signInPage({ username: form.username, refusal: error.message });
    }
    reply.header('location', '/auth/account');
    return '';
  }

  @Post('sign-out')
  @HttpCode(303)
  @Page()
  @Audited('session.close')
  async signOut(
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
    @Body(new FormBody(SignOut, { limit: AUTH_LIMITS.body })) { proof }: z.infer<typeof SignOut>,
  ): Promise<string> {
    const session = await this.current.ofForm(request, reply, proof, 'session.close');
    if (session !== undefined) await this.sessions.end(session.identifier, session.actor.from);
    reply.header('set-cookie', noSessionCookie());
    reply.header('location', '/auth/sign-in');
    return '';
  }
}
