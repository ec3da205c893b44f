import {
  Module,
  type BeforeApplicationShutdown,
  type DynamicModule,
  type OnApplicationShutdown,
  type Provider,
} from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { ScsConfig } from '#libs/config';
import type { Clock } from '#libs/core';
import { AuditController } from './audit/audit.controller.js';
import { AuditDesk } from './audit/index.js';
import { PasswordCheck, TokenGuard, TokenUses, TokenVerifier } from './auth/index.js';
import { CLOCK } from './clock.js';
import { InternalClient } from './internal-client.js';
import { LOG, type Logger } from './log.js';
import { Metrics } from './metrics/index.js';
import { DESCRIPTIONS, type Descriptions, DocsController } from './openapi/docs.controller.js';
import { Service } from './openapi/service-name.js';
import { Readiness } from './readiness.js';
import { SystemController } from './system.controller.js';
import { UpgradeRouter } from './upgrade.js';

export interface CoreParts {
  readonly config: ScsConfig;
  readonly clock: Clock;
  readonly log: Logger;
  readonly verifier: TokenVerifier;
  readonly uses: TokenUses;
  readonly upgrades: UpgradeRouter;
  readonly readiness: Readiness;
  readonly internal: InternalClient;
  readonly descriptions: Descriptions;
  readonly audit: AuditDesk;
  readonly metrics: Metrics;
}

/** What every service can have injected, the guard that stands before every route, and the routes of every process. */
@Service('system')
@Module({ controllers: [SystemController, DocsController, AuditController] })
export class CoreModule implements BeforeApplicationShutdown, OnApplicationShutdown {
  constructor(
    private readonly upgrades: UpgradeRouter,
    private readonly verifier: TokenVerifier,
    private readonly uses: TokenUses,
    private readonly internal: InternalClient,
  ) {}

  /**
   * Websockets have no end of their own; the server would wait for them. And what feeds revocations, and takes uses of tokens,
   * closes next.
   */
  async beforeApplicationShutdown(): Promise<void> {
    this.verifier.stop();
    this.upgrades.close();
    await this.uses.flush();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.internal.close();
  }

  static of(parts: CoreParts): DynamicModule {
    const shared: Provider[] = [
      { provide: ScsConfig, useValue: parts.config },
      { provide: CLOCK, useValue: parts.clock },
      { provide: LOG, useValue: parts.log },
      { provide: TokenVerifier, useValue: parts.verifier },
      { provide: TokenUses, useValue: parts.uses },
      { provide: UpgradeRouter, useValue: parts.upgrades },
      { provide: Readiness, useValue: parts.readiness },
      { provide: InternalClient, useValue: parts.internal },
      { provide: DESCRIPTIONS, useValue: parts.descriptions },
      { provide: AuditDesk, useValue: parts.audit },
      { provide: Metrics, useValue: parts.metrics },
      PasswordCheck,
    ];
    return {
      module: CoreModule,
      global: true,
      providers: [...shared, { provide: APP_GUARD, useClass: TokenGuard }],
      exports: [
        ScsConfig,
        CLOCK,
        LOG,
        TokenVerifier,
        TokenUses,
        UpgradeRouter,
        Readiness,
        InternalClient,
        PasswordCheck,
        AuditDesk,
        Metrics,
      ],
    };
  }
}
