import { join } from 'node:path';
import { Inject, Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { ScsConfig } from '#libs/config';
import { type Clock, messageOf } from '#libs/core';
import { CLOCK, LOG, type Logger, PasswordCheck, Readiness, TokenVerifier } from '#libs/server';
import { AccountsService } from './accounts.service.js';
import { AccountsStore } from './accounts.store.js';
import { DATABASE, type Database } from './database.store.js';
import { beginInstance, completeTokenFile } from './first-start.js';
import { Issuer } from './issuer.js';
import { AUTH_LIMITS } from './limits.js';
import { LocalAuthority } from './local-authority.js';
import { RevocationsService } from './revocations.service.js';
import { RevocationsStore } from './revocations.store.js';
import { SessionsService } from './sessions.service.js';
import { SettingsStore } from './settings.store.js';
import { SigningKeys } from './signing-keys.js';
import { sweep } from './sweep.js';
import { TokensService } from './tokens.service.js';
import { TokensStore } from './tokens.store.js';

/** What happens before the port opens, in order: keys, first start, the services of this process learn whom to trust. */
@Injectable()
export class StartService implements OnModuleInit, OnApplicationShutdown {
  #sweeping: NodeJS.Timeout | undefined;
  #sweep: Promise<void> = Promise.resolve();

  constructor(
    private readonly config: ScsConfig,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LOG) private readonly log: Logger,
    @Inject(DATABASE) private readonly database: Database,
    private readonly settings: SettingsStore,
    private readonly accounts: AccountsService,
    private readonly accountsStore: AccountsStore,
    private readonly tokens: TokensService,
    private readonly tokensStore: TokensStore,
    private readonly revocations: RevocationsService,
    private readonly revocationsStore: RevocationsStore,
    private readonly sessions: SessionsService,
    private readonly issuer: Issuer,
    private readonly verifier: TokenVerifier,
    private readonly passwords: PasswordCheck,
    private readonly readiness: Readiness,
  ) {}

  async onModuleInit(): Promise<void> {
    const { config, clock, log, settings, accounts, accountsStore, tokens, tokensStore } = this;
    const keys = await SigningKeys.open(join(config.dataFolder('auth'), 'signing-keys'));
    const parts = {
      home: config.home,
      keys,
      settings,
      accounts,
      accountsStore,
      tokens,
      tokensStore,
      clock,
      log,
    };
    const instance = await beginInstance(parts);
    this.issuer.open(instance.issuer, keys);
    await completeTokenFile(parts, instance);
    this.verifier.useAuthority(new LocalAuthority(this.issuer, this.revocations));
    await this.verifier.refresh();
    this.passwords.use((presented) => this.accounts.checkPassword(presented));
    this.readiness.register('auth database', () => this.database.ping());
    this.#startSweeping();
  }

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.#sweeping);
    await this.#sweep;
    await this.database.close();
  }

  #startSweeping(): void {
    const run = (): void => {
      this.#sweep = sweep({
        revocations: this.revocationsStore,
        tokens: this.tokensStore,
        sessions: this.sessions,
        clock: this.clock,
      }).then(
        () => undefined,
        (error: unknown) => this.log.warn(`Expired tokens were not swept: ${messageOf(error)}`),
      );
    };
    run();
    this.#sweeping = setInterval(run, AUTH_LIMITS.sweepMs);
    this.#sweeping.unref();
  }
}
