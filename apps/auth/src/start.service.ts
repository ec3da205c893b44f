import { join } from 'node:path';
import { Inject, Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { Trail } from '#libs/audit';
import { ScsConfig } from '#libs/config';
import { type Clock, messageOf } from '#libs/core';
import { CLOCK, LOG, type Logger, PasswordCheck, Readiness, TokenVerifier } from '#libs/server';
import { AccountsService } from './accounts.service.js';
import { AccountsStore } from './accounts.store.js';
import { DATABASE, type Database } from './database.store.js';
import { signingKeyChanged } from './events.js';
import { beginInstance, completeTokenFile } from './first-start.js';
import { Issuer } from './issuer.js';
import { AUTH_LIMITS } from './limits.js';
import { LocalAuthority } from './local-authority.js';
import { RevocationsService } from './revocations.service.js';
import { RevocationsStore } from './revocations.store.js';
import { Repeated } from './repeated.js';
import { SessionsService } from './sessions.service.js';
import { SettingsStore } from './settings.store.js';
import { SignInService } from './sign-in.service.js';
import { SigningKeys } from './signing-keys.js';
import { SpreadService } from './spread.service.js';
import { sweep } from './sweep.js';
import { TokensService } from './tokens.service.js';
import { TokensStore } from './tokens.store.js';
import { UsesService } from './uses.service.js';

/** What happens before the port opens, in order: keys, first start, the services of this process learn whom to trust. */
@Injectable()
export class StartService implements OnModuleInit, OnApplicationShutdown {
  #repeated: readonly Repeated[] = [];

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
    private readonly uses: UsesService,
    private readonly spreads: SpreadService,
    private readonly signIns: SignInService,
    private readonly trail: Trail,
    private readonly issuer: Issuer,
    private readonly verifier: TokenVerifier,
    private readonly passwords: PasswordCheck,
    private readonly readiness: Readiness,
  ) {}

  async onModuleInit(): Promise<void> {
    const { config, clock, log, settings, accounts, accountsStore, tokens, tokensStore } = this;
    const folder = join(config.dataFolder('auth'), 'signing-keys');
    // Nothing to do before the file of the first token can be there.
    let renewTokenFile = async (): Promise<void> => undefined;
    const keys = await SigningKeys.open(folder, {
      clock,
      log,
      changed: async (change) => {
        try {
          await this.trail.record(signingKeyChanged(change));
        } finally {
          if (change.action === 'signing-key.retire') await renewTokenFile();
        }
      },
    });
    await keys.maintain();
    const parts = {
      home: config.home,
      keys,
      settings,
      accounts,
      accountsStore,
      tokens,
      tokensStore,
      commits: this.revocationsStore,
      trail: this.trail,
      clock,
      log,
    };
    const instance = await beginInstance(parts);
    this.issuer.open(instance.issuer, keys);
    await completeTokenFile(parts, instance);
    renewTokenFile = () => completeTokenFile(parts, { ...instance, complete: true });
    this.verifier.useAuthority(new LocalAuthority(this.issuer, this.revocations, this.uses));
    await this.verifier.refresh();
    // Before a request is answered: nobody must have a role in an organisation that was disabled before a crash.
    await this.spreads.finish();
    this.passwords.use((presented) => this.signIns.check(presented));
    this.readiness.register('auth database', () => this.database.ping());
    this.#repeated = [
      new Repeated(
        AUTH_LIMITS.sweepMs,
        () => this.#sweep(),
        (error) => log.warn(`What has expired was not removed: ${messageOf(error)}`),
      ),
      new Repeated(
        AUTH_LIMITS.signingKeyCheckMs,
        () => keys.maintain(),
        (error) => log.warn(`The signing keys could not be looked at: ${messageOf(error)}`),
      ),
    ];
  }

  async onApplicationShutdown(): Promise<void> {
    await Promise.all(this.#repeated.map((one) => one.stop()));
  }

  async #sweep(): Promise<void> {
    const { revocationsStore: revocations, tokensStore: tokens, sessions, clock } = this;
    await sweep({ revocations, tokens, sessions, clock });
    await this.spreads.finish();
  }
}
