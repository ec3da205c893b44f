import { Controller, Delete, Get, Header, Param, Put, Req, Res, UseGuards } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { type Actor, type KeyringEntryAnswer, KeyringFile, OrganisationName } from '#libs/contract';
import { Anonymous, Audience, Audited, Checked, CurrentActor, Requires } from '#libs/server';
import { isKnown } from './conditional.js';
import { KeyringsService } from './keyrings.service.js';
import { FingerprintParam } from './keys.controller.js';
import { ReadsGuard } from './reads.js';

const OrganisationParam = new Checked(OrganisationName, 'the name of the organisation');

/** Keyrings of organisations: one address for `gpg --fetch-keys`, and for a keyring that all users of a machine have. */
@Controller('v1/keyrings')
@UseGuards(ReadsGuard)
export class KeyringsController {
  constructor(private readonly keyrings: KeyringsService) {}

  @Get(':file')
  @Anonymous()
  @Audience('keystore')
  @Header('access-control-allow-origin', '*')
  @Header('cache-control', 'no-cache')
  async get(
    @Param('file', new Checked(KeyringFile, 'the name of the keyring')) organisation: string,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string | undefined> {
    const { etag, armor } = await this.keyrings.get(organisation);
    if (isKnown(request, reply, etag)) return undefined;
    void reply.type('application/pgp-keys');
    void reply.header('content-disposition', `attachment; filename="${organisation}.asc"`);
    return armor();
  }

  @Put(':organisation/keys/:fingerprint')
  @Requires('keystore:write')
  @Audited('keyring.add')
  async put(
    @Param('organisation', OrganisationParam) organisation: string,
    @Param('fingerprint', FingerprintParam) fingerprint: string,
    @CurrentActor() actor: Actor,
  ): Promise<z.infer<typeof KeyringEntryAnswer>> {
    return { data: await this.keyrings.put(organisation, fingerprint, actor) };
  }

  @Delete(':organisation/keys/:fingerprint')
  @Requires('keystore:write')
  @Audited('keyring.remove')
  async remove(
    @Param('organisation', OrganisationParam) organisation: string,
    @Param('fingerprint', FingerprintParam) fingerprint: string,
    @CurrentActor() actor: Actor,
  ): Promise<z.infer<typeof KeyringEntryAnswer>> {
    return { data: await this.keyrings.remove(organisation, fingerprint, actor) };
  }
}
