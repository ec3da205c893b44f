import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { pino } from 'pino';
import { Trail } from '#libs/audit';
import type { Clock } from '#libs/core';
import { CLOCK, LOG, Metrics, TokenVerifier } from '#libs/server';
import { AccountsService } from '../accounts.service.js';
import { AccountsStore } from '../accounts.store.js';
import { DATABASE, type Database } from '../database.store.js';
import { Issuer } from '../issuer.js';
import { MembersService } from '../members.service.js';
import { MembershipsStore } from '../memberships.store.js';
import { NamesStore } from '../names.store.js';
import { OrganisationsService } from '../organisations.service.js';
import { OrganisationsStore } from '../organisations.store.js';
import { Passwords } from '../passwords.js';
import { RevocationsService } from '../revocations.service.js';
import { RevocationsStore } from '../revocations.store.js';
import { RobotsService } from '../robots.service.js';
import { SettingsStore } from '../settings.store.js';
import { SignInService } from '../sign-in.service.js';
import { SpreadService } from '../spread.service.js';
import { StatesService } from '../states.service.js';
import { TokensService } from '../tokens.service.js';
import { TokensStore } from '../tokens.store.js';
import { UsesService } from '../uses.service.js';

@Module({})
class Wired {}

/** The services of auth over a database of a test, without a server around them. */
export async function wire(database: Database, clock: Clock) {
  const providers = [
    NamesStore,
    AccountsStore,
    OrganisationsStore,
    MembershipsStore,
    TokensStore,
    RevocationsStore,
    SettingsStore,
    Passwords,
    Issuer,
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
    { provide: DATABASE, useValue: database },
    { provide: CLOCK, useValue: clock },
    { provide: Metrics, useValue: Metrics.off() },
    { provide: LOG, useValue: pino({ enabled: false }) },
    { provide: Trail, useValue: new Trail({ documents: database, service: 'auth', clock }) },
    { provide: TokenVerifier, useValue: new TokenVerifier({ clock }) },
  ];
  const app = await NestFactory.createApplicationContext({ module: Wired, providers }, { logger: false });
  return {
    settings: app.get(SettingsStore),
    accounts: app.get(AccountsService),
    accountsStore: app.get(AccountsStore),
    tokens: app.get(TokensService),
    tokensStore: app.get(TokensStore),
    commits: app.get(RevocationsStore),
    trail: app.get(Trail),
    states: app.get(StatesService),
    spreads: app.get(SpreadService),
    organisationsStore: app.get(OrganisationsStore),
    organisations: app.get(OrganisationsService),
    members: app.get(MembersService),
    robots: app.get(RobotsService),
    revocations: app.get(RevocationsService),
    signIns: app.get(SignInService),
    uses: app.get(UsesService),
    issuer: app.get(Issuer),
    verifier: app.get(TokenVerifier),
  };
}
