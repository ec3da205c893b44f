import { Controller, Get, Header, Query } from '@nestjs/common';
import { type Jwks, RevocationsQuery, type SignedRevocations } from '#libs/contract';
import { Anonymous, Checked } from '#libs/server';
import { Issuer } from './issuer.js';
import { RevocationsService } from './revocations.service.js';

/** What every service needs to check tokens by itself. Anybody may read it: public keys, and random ids signed with them. */
@Controller()
export class KeysController {
  constructor(
    private readonly issuer: Issuer,
    private readonly revocations: RevocationsService,
  ) {}

  @Get('.well-known/jwks.json')
  @Anonymous()
  @Header('cache-control', 'no-cache')
  jwks(): Jwks {
    return this.issuer.jwks();
  }

  @Get('v1/auth/revocations')
  @Anonymous()
  @Header('cache-control', 'no-store')
  async revoked(
    @Query(new Checked(RevocationsQuery)) { after }: { after: number },
  ): Promise<SignedRevocations> {
    return { data: { signed: await this.revocations.signedFeed(after) } };
  }
}
