import { Controller, Get, Header, Inject, Param, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ScsConfig } from '#libs/config';
import { type Clock, DomainError } from '#libs/core';
import { CLOCK, SelfAuthenticated } from '#libs/server';
import { binaryAnswer } from '../binary.js';
import { handleOf } from '../handles.js';
import { InTime } from '../in-time.js';
import { LookupService } from '../lookup.service.js';
import { Rates } from '../rates.js';
import { Reads } from '../reads.js';

/** 20 bytes in z-base-32. */
const HASH = /^[ybndrfg8ejkmcpqxot1uwisza345h769]{32}$/;

/**
 * The Web Key Directory of the domains that SCS_WKD_DOMAINS names (draft-koch-openpgp-webkey-service §3.1): confirmed addresses
 * only (ADR 14). A client asks `openpgpkey.<domain>` with the domain in the path, or `<domain>` itself without it.
 */
@Controller('.well-known/openpgpkey')
export class WkdController {
  readonly #domains: readonly string[];

  constructor(
    config: ScsConfig,
    private readonly lookups: LookupService,
    private readonly reads: Reads,
    private readonly rates: Rates,
    private readonly inTime: InTime,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {
    this.#domains = config.keystore.wkdDomains;
  }

  @Get(':domain/hu/:hash')
  @SelfAuthenticated()
  @Header('access-control-allow-origin', '*')
  @Header('cache-control', 'no-cache')
  advanced(
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
    @Param('domain') domain: string,
    @Param('hash') hash: string,
  ): Promise<Buffer | string> {
    return this.#key(request, reply, domain.toLowerCase(), hash);
  }

  @Get('hu/:hash')
  @SelfAuthenticated()
  @Header('access-control-allow-origin', '*')
  @Header('cache-control', 'no-cache')
  direct(
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
    @Param('hash') hash: string,
  ): Promise<Buffer | string> {
    return this.#key(request, reply, this.#addressed(request), hash);
  }

  /** Empty: it says that there is a directory, and wishes nothing else of its clients (§4.5 there). */
  @Get([':domain/policy', 'policy'])
  @SelfAuthenticated()
  @Header('access-control-allow-origin', '*')
  policy(
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
    @Param('domain') domain?: string,
  ): string {
    if (!this.#domains.includes(domain?.toLowerCase() ?? this.#addressed(request))) throw nothing();
    void reply.type('text/plain; charset=utf-8');
    return '';
  }

  async #key(
    request: FastifyRequest,
    reply: FastifyReply,
    domain: string,
    hash: string,
  ): Promise<Buffer | string> {
    await this.reads.allow(request.headers.authorization);
    await this.rates.get(request.ip);
    if (!this.#domains.includes(domain) || !HASH.test(hash)) throw nothing();
    const found = await this.inTime.answer(() => this.lookups.find([handleOf.wkd({ hash, domain })]));
    const now = this.clock.now().getTime();
    return binaryAnswer(request, reply, found, { type: 'application/octet-stream', now });
  }

  /** The only domain there is; of several the one by whose name we were asked. Public keys are all that hangs on it. */
  #addressed({ headers }: FastifyRequest): string {
    const [only, ...more] = this.#domains;
    return more.length === 0 ? (only ?? '') : (headers.host ?? '').replace(/:\d+$/, '').toLowerCase();
  }
}

const nothing = (): DomainError =>
  new DomainError('not_found', 'This Web Key Directory has no such key', { reason: 'key_not_found' });
