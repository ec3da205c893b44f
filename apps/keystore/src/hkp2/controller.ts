import {
  Controller,
  Get,
  Header,
  HttpCode,
  Inject,
  Options,
  Param,
  Post,
  Put,
  Req,
  Res,
} from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Actor, KeyAddAnswer, KeyListing } from '#libs/contract';
import { type Clock, DomainError } from '#libs/core';
import { Anonymous, Audience, Audited, CLOCK, CurrentActor, Requires, SelfAuthenticated } from '#libs/server';
import { binaryAnswer } from '../binary.js';
import { InTime } from '../in-time.js';
import { LookupService } from '../lookup.service.js';
import { allowBrowsers, OpenToBrowsers } from '../open-to-browsers.js';
import { jsonListing, submittedJson } from '../present.js';
import { Rates } from '../rates.js';
import { Reads } from '../reads.js';
import type { Search } from '../search.js';
import { Uploads } from '../uploads.js';
import { byAnything, byIdentity, byKeyId, byVersionedFingerprint } from './request.js';

const BINARY = 'application/pgp';
/** What may be done below `/pks/v2`, for who asks (OPTIONS); what is not here is not offered. */
const READ = 'GET, HEAD, OPTIONS';
const ALLOWED: ReadonlyMap<string, string> = new Map([
  ['certs', 'GET, HEAD, POST, OPTIONS'],
  ['certs/by-vfingerprint', READ],
  ['certs/by-keyid', READ],
  ['certs/by-identity', READ],
  ['index', READ],
]);

/** HKP v2 (keystore contract §1.12): binary answers, certificates of every version, whole identities. */
@Controller('pks/v2')
@Audience('keystore')
export class Hkp2Controller {
  constructor(
    private readonly lookups: LookupService,
    private readonly uploads: Uploads,
    private readonly reads: Reads,
    private readonly rates: Rates,
    private readonly inTime: InTime,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  @Get('certs/by-vfingerprint/:vfp')
  @SelfAuthenticated()
  @OpenToBrowsers()
  @Header('cache-control', 'no-cache')
  async byFingerprint(
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
    @Param('vfp') vfp: string,
  ): Promise<Buffer | string> {
    return this.#get(request, reply, () => byVersionedFingerprint(vfp.slice(0, 2), vfp.slice(2)));
  }

  @Get('certs/by-vfingerprint/:version/:fingerprint')
  @SelfAuthenticated()
  @OpenToBrowsers()
  @Header('cache-control', 'no-cache')
  async byVersionAndFingerprint(
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
    @Param('version') version: string,
    @Param('fingerprint') fingerprint: string,
  ): Promise<Buffer | string> {
    return this.#get(request, reply, () => byVersionedFingerprint(version, fingerprint));
  }

  @Get('certs/by-keyid/:id')
  @SelfAuthenticated()
  @OpenToBrowsers()
  @Header('cache-control', 'no-cache')
  async byKeyId(
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
    @Param('id') id: string,
  ): Promise<Buffer | string> {
    return this.#get(request, reply, () => byKeyId(id));
  }

  @Get('certs/by-identity/:identity')
  @SelfAuthenticated()
  @OpenToBrowsers()
  @Header('cache-control', 'no-cache')
  async byIdentity(
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
    @Param('identity') identity: string,
  ): Promise<Buffer | string> {
    return this.#get(request, reply, () => byIdentity(identity));
  }

  @Get('index/:term')
  @SelfAuthenticated()
  @OpenToBrowsers()
  @Header('cache-control', 'no-cache')
  async index(@Req() request: FastifyRequest, @Param('term') term: string): Promise<KeyListing> {
    await this.reads.allow(request.headers.authorization);
    this.rates.search(request.ip);
    const wanted = byAnything(term);
    return jsonListing(await this.inTime.answer(() => this.lookups.find(wanted)));
  }

  @Post('certs')
  @HttpCode(200)
  @Anonymous()
  @Requires('keystore:write')
  @Audited('key.add')
  @OpenToBrowsers()
  async add(
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
    @CurrentActor() actor: Actor | undefined,
  ): Promise<KeyAddAnswer> {
    try {
      return submittedJson(await this.uploads.take(request, reply, actor));
    } catch (error) {
      // Here nothing at all is as bad as what is no key.
      if (!(error instanceof DomainError) || error.code !== 'bad_request') throw error;
      throw new DomainError('unprocessable', error.message, { cause: error });
    }
  }

  @Options('*')
  @SelfAuthenticated()
  @HttpCode(200)
  options(@Res({ passthrough: true }) reply: FastifyReply, @Param('*') path: string | undefined): string {
    const [category = '', kind = ''] = (path ?? '').split('/');
    const allowed = ALLOWED.get(category === 'index' || kind === '' ? category : `${category}/${kind}`);
    if (allowed === undefined) throw notOffered();
    allowBrowsers(reply);
    reply.header('allow', allowed);
    if (allowed.includes('POST'))
      reply.header('accept', `${BINARY}, application/pgp-keys, multipart/form-data`);
    return '';
  }

  @Get('*')
  @SelfAuthenticated()
  @OpenToBrowsers()
  withoutName(@Param('*') path: string): never {
    if (!ALLOWED.has(path)) throw notOffered();
    throw new DomainError('forbidden', 'Not every key at once: name one', { reason: 'identifier_missing' });
  }

  @Post('*')
  @SelfAuthenticated()
  @OpenToBrowsers()
  notTaken(): never {
    throw notOffered();
  }

  @Put('*')
  @SelfAuthenticated()
  @OpenToBrowsers()
  notKept(): never {
    throw notOffered();
  }

  async #get(
    request: FastifyRequest,
    reply: FastifyReply,
    wanted: () => Search | string[],
  ): Promise<Buffer | string> {
    await this.reads.allow(request.headers.authorization);
    await this.rates.get(request.ip);
    const found = await this.inTime.answer(() => this.lookups.find(wanted()));
    return binaryAnswer(request, reply, found, { type: BINARY, now: this.clock.now().getTime() });
  }
}

const notOffered = (): DomainError =>
  new DomainError('not_implemented', 'This keystore does not offer that part of HKP v2');
