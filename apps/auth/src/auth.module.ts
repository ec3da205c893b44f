import { Inject, Module, type OnApplicationShutdown } from '@nestjs/common';
import { ScsConfig } from '#libs/config';
import { openDocuments } from '#libs/documents';
import { LOG, type Logger, provideClientAssertions, provideTrail, Service } from '#libs/server';
import { AccountsService } from './accounts.service.js';
import { AccountsStore } from './accounts.store.js';
import { DATABASE, type Database } from './database.store.js';
import { ExchangeController } from './exchange.controller.js';
import { ExchangeService } from './exchange.service.js';
import { Issuer } from './issuer.js';
import { KeysController } from './keys.controller.js';
import { MembersController } from './members.controller.js';
import { MembersService } from './members.service.js';
import { MembershipsStore } from './memberships.store.js';
import { NamesStore } from './names.store.js';
import { OrganisationsController } from './organisations.controller.js';
import { OrganisationsService } from './organisations.service.js';
import { OrganisationsStore } from './organisations.store.js';
import { Passwords } from './passwords.js';
import { RevocationsService } from './revocations.service.js';
import { RevocationsStore } from './revocations.store.js';
import { AccountPageController } from './pages/account.controller.js';
import { CurrentSession } from './pages/current-session.js';
import { SignInController } from './pages/sign-in.controller.js';
import { SessionsService } from './sessions.service.js';
import { SessionsStore } from './sessions.store.js';
import { RobotsController } from './robots.controller.js';
import { RobotsService } from './robots.service.js';
import { SettingsStore } from './settings.store.js';
import { SignInService } from './sign-in.service.js';
import { SigningKeysController } from './signing-keys.controller.js';
import { SigningKeysService } from './signing-keys.service.js';
import { SpreadService } from './spread.service.js';
import { StartService } from './start.service.js';
import { StatesService } from './states.service.js';
import { TokenStatusController } from './token-status.controller.js';
import { TokensController } from './tokens.controller.js';
import { TokensService } from './tokens.service.js';
import { TokensStore } from './tokens.store.js';
import { UsersController } from './users.controller.js';
import { UsesController } from './uses.controller.js';
import { UsesService } from './uses.service.js';

/** Accounts, tokens, signing keys, token exchange, revocation. */
@Service('auth')
@Module({
  controllers: [
    TokenStatusController,
    TokensController,
    UsersController,
    OrganisationsController,
    MembersController,
    RobotsController,
    UsesController,
    ExchangeController,
    KeysController,
    SigningKeysController,
    SignInController,
    AccountPageController,
  ],
  providers: [
    {
      provide: DATABASE,
      inject: [ScsConfig, LOG],
      useFactory: (config: ScsConfig, log: Logger) =>
        openDocuments(config.databaseUrl('auth'), {
          service: 'auth',
          log: (message) => log.warn(message),
        }),
    },
    provideClientAssertions(DATABASE),
    provideTrail('auth', DATABASE),
    NamesStore,
    AccountsStore,
    OrganisationsStore,
    MembershipsStore,
    TokensStore,
    RevocationsStore,
    SettingsStore,
    SigningKeysService,
    SessionsStore,
    SessionsService,
    CurrentSession,
    Issuer,
    Passwords,
    StatesService,
    SignInService,
    RevocationsService,
    AccountsService,
    SpreadService,
    OrganisationsService,
    MembersService,
    RobotsService,
    TokensService,
    UsesService,
    ExchangeService,
    StartService,
  ],
})
export class AuthModule implements OnApplicationShutdown {
  constructor(@Inject(DATABASE) private readonly database: Database) {}

  /** After the services of this module have ended their work. */
  async onApplicationShutdown(): Promise<void> {
    await this.database.close();
  }
}
