import { Body, Controller, Get, Header, HttpCode, Inject, Param, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { DAY_SECONDS, PLACED_SCOPES, SCOPE_NAMES, CreateTokenRequest } from '#libs/contract';
import { type Clock, DomainError } from '#libs/core';
import { Audited, AuditDesk, check, CLOCK, FormBody, Page, SelfAuthenticated } from '#libs/server';
import { AUTH_LIMITS } from '../limits.js';
import { TokenIdParam } from '../parameters.js';
import { presentToken } from '../present.js';
import type { Session } from '../sessions.service.js';
import { TokensService } from '../tokens.service.js';
import { accountPage, type AccountPageFacts } from './account-page.js';
import { CurrentSession } from './current-session.js';

const ON = z.literal('on').optional();
/** A check box for each scope, under the scope's name. */
const TokenForm = z.object({
  proof: z.string().max(100),
  name: z.string().max(256),
  days: z.string().max(10),
  place: z.string().max(256),
  ...(Object.fromEntries(SCOPE_NAMES.map((name) => [name, ON])) as Record<
    (typeof SCOPE_NAMES)[number],
    typeof ON
  >),
});
type TokenForm = z.infer<typeof TokenForm>;
const Proof = z.object({ proof: z.string().max(100) });

/** The page where people list, make and end their tokens (library contract §2.3 sends them here). */
@Controller('auth/account')
@SelfAuthenticated()
export class AccountPageController {
  constructor(
    private readonly tokens: TokensService,
    private readonly current: CurrentSession,
    private readonly audit: AuditDesk,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  @Get()
  @Page()
  @Header('cache-control', 'no-store')
  async show(
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const session = await this.current.of(request, reply);
    return session === undefined ? toSignIn(reply) : this.#page(session, {});
  }

  @Post('tokens')
  @HttpCode(200)
  @Page()
  @Header('cache-control', 'no-store')
  @Audited('token.create')
  async create(
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
    @Body(new FormBody(TokenForm, { limit: AUTH_LIMITS.body })) form: TokenForm,
  ): Promise<string> {
    const session = await this.current.ofForm(request, reply, form.proof, 'token.create');
    if (session === undefined) return toSignIn(reply);
    try {
      const { stored, token } = await this.tokens.create(session.actor, wantedToken(form));
      return await this.#page(session, { made: { name: stored.value.name, token } });
    } catch (error) {
      if (!(error instanceof DomainError) || error.status >= 500) throw error;
      await this.audit.refused(request, error);
      void reply.status(error.status);
      return this.#page(session, { refusal: error.message });
    }
  }

  @Post('tokens/:id/revoke')
  @HttpCode(303)
  @Page()
  @Audited('token.revoke')
  async revoke(
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
    @Param('id', TokenIdParam) id: string,
    @Body(new FormBody(Proof, { limit: AUTH_LIMITS.body })) { proof }: z.infer<typeof Proof>,
  ): Promise<string> {
    const session = await this.current.ofForm(request, reply, proof, 'token.revoke');
    if (session === undefined) return toSignIn(reply);
    await this.tokens.revoke(session.actor, id);
    reply.header('location', '/auth/account');
    return '';
  }

  async #page(
    { actor, formProof }: Session,
    said: Pick<AccountPageFacts, 'made' | 'refusal'>,
  ): Promise<string> {
    const { items } = await this.tokens.list(actor, { limit: AUTH_LIMITS.tokensShown });
    return accountPage({ actor, formProof, tokens: items.map(presentToken), now: this.clock.now(), ...said });
  }
}

function toSignIn(reply: FastifyReply): string {
  void reply.status(303).header('location', '/auth/sign-in');
  return '';
}

/** @throws DomainError `bad_request` in the words of the API */
function wantedToken(form: TokenForm): CreateTokenRequest {
  const place = form.place.trim();
  const scopes = SCOPE_NAMES.filter((name) => form[name] === 'on').map((name) =>
    place !== '' && PLACED_SCOPES.some((placed) => placed === name) ? `${name}:${place}` : name,
  );
  if (scopes.length === 0)
    throw new DomainError('bad_request', 'Choose at least one thing that the token may do');
  return check(
    CreateTokenRequest,
    { name: form.name, scopes, lifetime: Number(form.days) * DAY_SECONDS },
    'the form',
  );
}
