import {
  Body,
  Controller,
  Delete,
  Get,
  Header,
  HttpCode,
  Param,
  Post,
  Put,
  Query,
  UseGuards,
} from '@nestjs/common';
import type { z } from 'zod';
import {
  type Actor,
  type ExpiringKeysAnswer,
  ExpiringKeysQuery,
  type KeyChallengeAnswer,
  KeyClaimRequest,
  KeyFingerprint,
  KeyHiddenRequest,
  type KeyRecordAnswer,
  type KeyRemovedAnswer,
} from '#libs/contract';
import { Anonymous, Audience, Audited, Checked, CurrentActor, JsonBody, Requires } from '#libs/server';
import { ExpiryService } from './expiry.service.js';
import { LIMITS } from './limits.js';
import { OwnersService } from './owners.service.js';
import { presentExpiring, presentKey } from './present-key.js';
import { ReadsGuard } from './reads.js';

export const FingerprintParam = new Checked(KeyFingerprint, 'the fingerprint');

/**
 * Whose a key is, and what its owner may do with it (ADR 14). For people: a token that was exchanged for a job reads what is served, and
 * may bring keys where it says so, but decides nothing about the keys of its person.
 */
@Controller('v1/keys')
@UseGuards(ReadsGuard)
export class KeysController {
  constructor(
    private readonly owners: OwnersService,
    private readonly expiry: ExpiryService,
  ) {}

  @Get('expiring')
  @Header('cache-control', 'no-store')
  async expiring(
    @Query(new Checked(ExpiringKeysQuery)) query: ExpiringKeysQuery,
    @CurrentActor() actor: Actor,
  ): Promise<z.infer<typeof ExpiringKeysAnswer>> {
    const { certificates, cursor } = await this.expiry.list(query, actor);
    return {
      data: certificates.map(presentExpiring),
      ...(cursor === undefined ? {} : { page: { next: cursor } }),
    };
  }

  @Get(':fingerprint')
  @Anonymous()
  @Audience('keystore')
  @Header('cache-control', 'no-store')
  async show(
    @Param('fingerprint', FingerprintParam) fingerprint: string,
    @CurrentActor() actor: Actor | undefined,
  ): Promise<z.infer<typeof KeyRecordAnswer>> {
    return { data: presentKey(await this.owners.show(fingerprint, actor), actor) };
  }

  @Delete(':fingerprint')
  @Requires('keystore:write')
  @Audited('key.delete')
  async remove(
    @Param('fingerprint', FingerprintParam) fingerprint: string,
    @CurrentActor() actor: Actor,
  ): Promise<z.infer<typeof KeyRemovedAnswer>> {
    return { data: await this.owners.remove(fingerprint, actor) };
  }

  @Post(':fingerprint/challenge')
  @HttpCode(200)
  @Requires('keystore:write')
  @Header('cache-control', 'no-store')
  async challenge(
    @Param('fingerprint', FingerprintParam) fingerprint: string,
    @CurrentActor() actor: Actor,
  ): Promise<z.infer<typeof KeyChallengeAnswer>> {
    return { data: await this.owners.challenge(fingerprint, actor) };
  }

  @Post(':fingerprint/claim')
  @HttpCode(200)
  @Requires('keystore:write')
  @Audited('key.claim')
  async claim(
    @Param('fingerprint', FingerprintParam) fingerprint: string,
    @Body(new JsonBody(KeyClaimRequest, { limit: LIMITS.claimBytes })) { signed }: KeyClaimRequest,
    @CurrentActor() actor: Actor,
  ): Promise<z.infer<typeof KeyRecordAnswer>> {
    return { data: presentKey(await this.owners.claim(fingerprint, signed, actor), actor) };
  }

  @Put(':fingerprint/hidden')
  @Requires('keystore:write')
  @Audited('key.hide')
  async hide(
    @Param('fingerprint', FingerprintParam) fingerprint: string,
    @Body(new JsonBody(KeyHiddenRequest, { limit: LIMITS.hiddenBytes })) { hashes }: KeyHiddenRequest,
    @CurrentActor() actor: Actor,
  ): Promise<z.infer<typeof KeyRecordAnswer>> {
    return { data: presentKey(await this.owners.hide(fingerprint, hashes, actor), actor) };
  }
}
