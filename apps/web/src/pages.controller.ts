import { Controller, Get, Header, HttpCode, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { ScsConfig } from '#libs/config';
import { Anonymous, Page } from '#libs/server';
import { authorityFingerprint, readAuthority } from './authority-file.js';
import { startPage } from './pages.js';

/** Where people manage their tokens, at the auth service. */
const TOKEN_PAGE = '/auth/account';

@Controller()
export class PagesController {
  constructor(private readonly config: ScsConfig) {}

  @Get()
  @Anonymous()
  @Page()
  async start(): Promise<string> {
    return startPage({ config: this.config, caFingerprint: await authorityFingerprint(this.config) });
  }

  /** Clients send people to this address for a token (library contract §2.3); it may be another host than that of auth. */
  @Get('auth/tokens')
  @Anonymous()
  @HttpCode(303)
  tokens(@Res({ passthrough: true }) reply: FastifyReply): void {
    const here = this.config.services.includes('auth');
    reply.header('location', here ? TOKEN_PAGE : `${this.config.serviceUrl('auth')}${TOKEN_PAGE}`);
  }

  @Get('ca.pem')
  @Anonymous()
  @Header('content-type', 'application/x-pem-file')
  @Header('content-disposition', 'attachment; filename="scs-ca.pem"')
  authority(): Promise<string> {
    return readAuthority(this.config);
  }
}
