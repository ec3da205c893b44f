import { Controller, Get, Header } from '@nestjs/common';
import { ScsConfig } from '#libs/config';
import { Anonymous } from '#libs/server';
import { authorityFingerprint, readAuthority } from './authority-file.js';
import { PAGE_POLICY } from './html.js';
import { startPage, tokensPage } from './pages.js';

const HTML = 'text/html; charset=utf-8';

@Controller()
export class PagesController {
  constructor(private readonly config: ScsConfig) {}

  @Get()
  @Anonymous()
  @Header('content-type', HTML)
  @Header('content-security-policy', PAGE_POLICY)
  async start(): Promise<string> {
    return startPage({ config: this.config, caFingerprint: await authorityFingerprint(this.config) });
  }

  @Get('auth/tokens')
  @Anonymous()
  @Header('content-type', HTML)
  @Header('content-security-policy', PAGE_POLICY)
  tokens(): string {
    return tokensPage(this.config);
  }

  @Get('ca.pem')
  @Anonymous()
  @Header('content-type', 'application/x-pem-file')
  @Header('content-disposition', 'attachment; filename="scs-ca.pem"')
  authority(): Promise<string> {
    return readAuthority(this.config);
  }
}
