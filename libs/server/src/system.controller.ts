import { Controller, Get, Header, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { ScsConfig } from '#libs/config';
import type { Actor, VersionAnswer } from '#libs/contract';
import { DomainError } from '#libs/core';
import { Anonymous, CurrentActor, SelfAuthenticated } from './auth/index.js';
import { Readiness, type ReadinessReport } from './readiness.js';

/** Strict semver without a leading v: anything else makes stock clients fall back to the first protocol (library contract §2.4). */
const API_VERSION = '2.0.0';

/** What every process answers, whatever runs in it. */
@Controller()
export class SystemController {
  constructor(
    private readonly config: ScsConfig,
    private readonly readiness: Readiness,
  ) {}

  /**
   * The same for everybody, with any token or none: stock clients ask again in the middle of a push, when their token may have
   * expired, and take a refusal for the first protocol (library contract §2.4). Also below a prefix: clients keep that of a
   * keyserver's address here, and nowhere else (keystore contract §1.10).
   */
  @Get(['version', ':prefix/version', ':prefix/:more/version'])
  @SelfAuthenticated()
  @Header('access-control-allow-origin', '*')
  version(): VersionAnswer {
    return { data: { version: this.config.version, apiVersion: API_VERSION } };
  }

  @Get('healthz')
  @Anonymous()
  health(): { data: { healthy: true } } {
    return { data: { healthy: true } };
  }

  @Get('readyz')
  @Anonymous()
  async ready(@Res({ passthrough: true }) reply: FastifyReply): Promise<{ data: ReadinessReport }> {
    const report = await this.readiness.report();
    if (!report.ready) void reply.status(503);
    return { data: report };
  }

  /** Library contract §2.3: a bare object; the secret is what `remote get-login-password` prints, usable as a registry password. */
  @Get('v1/rbac/users/current')
  @Header('cache-control', 'no-store')
  currentUser(@CurrentActor() actor: Actor | undefined): object {
    if (actor === undefined) throw new DomainError('unauthorized');
    return {
      user_id: actor.accountId,
      username: actor.username,
      email: actor.email,
      realname: actor.displayName,
      sysadmin_flag: actor.administrator,
      oidc_user_meta: { secret: actor.token },
    };
  }
}
