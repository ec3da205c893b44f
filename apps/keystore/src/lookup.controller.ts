import { Controller, Get, Header, HttpCode, Inject, Options, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ScsConfig } from '#libs/config';
import type { KeyListing, KeystoreStats } from '#libs/contract';
import { type Clock, DomainError, isServerFault } from '#libs/core';
import { readArmor } from '#libs/pgp';
import { CLOCK, SelfAuthenticated } from '#libs/server';
import { isKnown } from './conditional.js';
import { type CertificateDetails, detailsOf } from './details.js';
import { InTime } from './in-time.js';
import { LIMITS } from './limits.js';
import { type LookupGet, type LookupIndex, parseLookup } from './lookup.request.js';
import { type Page, LookupService } from './lookup.service.js';
import { allowBrowsers, NEXT_PAGE, OpenToBrowsers } from './open-to-browsers.js';
import { listingPage } from './pages/listing-page.js';
import { refusalPage } from './pages/refusal-page.js';
import { asPage, wantsPage } from './pages/send-page.js';
import { statsPage } from './pages/stats-page.js';
import { jsonListing, listingOf } from './present.js';
import { Rates } from './rates.js';
import { Reads } from './reads.js';
import { statsOf, statsText } from './stats.js';

type Answered = string | Buffer | KeyListing | KeystoreStats;

/** `GET /pks/lookup` and what belongs to it (keystore contract §1.4 to §1.8). */
@Controller('pks')
export class LookupController {
  readonly #stats: KeystoreStats;

  constructor(
    config: ScsConfig,
    private readonly lookups: LookupService,
    private readonly reads: Reads,
    private readonly rates: Rates,
    private readonly inTime: InTime,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {
    this.#stats = statsOf(config);
  }

  @Get('lookup')
  @SelfAuthenticated()
  @OpenToBrowsers()
  @Header('cache-control', 'no-cache')
  @Header('vary', 'Accept, Accept-Encoding')
  async lookup(
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Answered> {
    try {
      return await this.#answer(request, reply);
    } catch (error) {
      const { accept } = request.headers;
      if (!(error instanceof DomainError) || isServerFault(error.status) || !wantsPage(accept)) throw error;
      if (error.retryAfter !== undefined) reply.header('retry-after', String(error.retryAfter));
      if (error.status === 401) reply.header('www-authenticate', 'Bearer realm="scs"');
      void reply.status(error.status);
      return asPage(reply, refusalPage(error.message, (request.query as Record<string, string>)['search']));
    }
  }

  @Get('stats')
  @SelfAuthenticated()
  @OpenToBrowsers()
  @Header('cache-control', 'no-cache')
  @Header('vary', 'Accept, Accept-Encoding')
  stats(
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): KeystoreStats | string {
    return wantsPage(request.headers.accept) ? asPage(reply, statsPage(this.#stats)) : this.#stats;
  }

  @Get('health')
  @SelfAuthenticated()
  health(): { data: { healthy: true } } {
    return { data: { healthy: true } };
  }

  @Options(['lookup', 'stats', 'add'])
  @SelfAuthenticated()
  @HttpCode(204)
  preflight(@Res({ passthrough: true }) reply: FastifyReply): void {
    allowBrowsers(reply);
  }

  async #answer(request: FastifyRequest, reply: FastifyReply): Promise<Answered> {
    const allowed = this.reads.allow(request.headers.authorization);
    if (allowed !== undefined) await allowed;
    const question = request.url.indexOf('?');
    const lookup = parseLookup(question === -1 ? '' : request.url.slice(question + 1));
    if (lookup.operation === 'get') return this.#get(lookup, request, reply);
    if (lookup.operation !== 'stats') return this.#list(lookup, request, reply);
    if (lookup.options.has('json')) return this.#stats;
    if (wantsPage(request.headers.accept) && !lookup.options.has('mr')) return this.stats(request, reply);
    void reply.type('text/plain; charset=utf-8');
    return statsText(this.#stats);
  }

  async #get(
    { searches, options }: LookupGet,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<Answered> {
    const byWords = searches.some(({ kind }) => kind === 'words');
    if (byWords) this.rates.search(request.ip);
    const held = byWords ? undefined : this.rates.get(request.ip);
    if (held !== undefined) await held;
    if (options.has('json'))
      return jsonListing(await this.inTime.answer(() => this.lookups.select(searches)));
    const answer = await this.inTime.answer(() => this.lookups.get(searches));
    const binary = options.has('bin');
    const body = binary ? Buffer.concat(readArmor(answer.body)) : answer.body;
    void reply.headers({
      'content-type': binary ? 'application/pgp' : 'application/pgp-keys',
      // The name is made of hex digits of ours, never of what was searched for.
      'content-disposition': `attachment; filename="${answer.name}.${binary ? 'pgp' : 'asc'}"`,
    });
    const etag = binary ? `${answer.etag.slice(0, -1)}-b"` : answer.etag;
    const modified = { ...answer.modified, now: this.clock.now().getTime() };
    return isKnown(request, reply, etag, modified) ? '' : body;
  }

  async #list(lookup: LookupIndex, request: FastifyRequest, reply: FastifyReply): Promise<Answered> {
    this.rates.search(request.ip);
    const { searches, options, pageToken, operation } = lookup;
    const html = wantsPage(request.headers.accept) && !options.has('mr') && !options.has('json');
    const size = lookup.pageSize ?? (html ? LIMITS.shown : LIMITS.listed);
    const page = await this.inTime.answer(() => this.lookups.list(searches, size, pageToken));
    if (page.next !== undefined) reply.header(NEXT_PAGE, page.next);
    if (options.has('json')) return jsonListing(page.certificates);
    const now = this.clock.now();
    const detailed = html ? operation === 'vindex' : options.has('sig');
    const details = detailed ? await detailsOfAll(page) : undefined;
    if (html)
      return asPage(reply, listingPage({ ...lookup, ...page, details, now, next: nextOf(lookup, page) }));
    void reply.type('text/plain; charset=utf-8');
    return listingOf(page.certificates, now, details);
  }
}

async function detailsOfAll({ certificates }: Page): Promise<Map<string, CertificateDetails>> {
  const details = new Map<string, CertificateDetails>();
  for (const stored of certificates) details.set(stored.fingerprint, await detailsOf(stored));
  return details;
}

/** Where a page leads on: the same search as it came, with the token. */
function nextOf({ operation, rawTerm, exact, pageSize }: LookupIndex, { next }: Page): string | undefined {
  if (next === undefined) return undefined;
  const size = pageSize === undefined ? '' : `&x-pagesize=${pageSize}`;
  return `/pks/lookup?op=${operation}&search=${rawTerm}${exact ? '&exact=on' : ''}${size}&x-pagetoken=${next}`;
}
