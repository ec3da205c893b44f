import type { FactoryProvider } from '@nestjs/common';
import { ScsConfig } from '#libs/config';
import type { ServiceName } from '#libs/contract';
import type { Clock } from '#libs/core';
import { CLOCK } from '../clock.js';
import { InternalClient } from '../internal-client.js';
import { TokenExchange } from './exchange.js';
import { ServiceKey } from './service-key.js';
import { TokenVerifier } from './verifier.js';

/** The provider of {@link TokenExchange} for the module of one service: opens, or makes, the key by which it proves itself. */
export function provideTokenExchange(service: ServiceName): FactoryProvider<TokenExchange> {
  return {
    provide: TokenExchange,
    inject: [ScsConfig, CLOCK, InternalClient, TokenVerifier],
    useFactory: async (config: ScsConfig, clock: Clock, client: InternalClient, verifier: TokenVerifier) => {
      const key = await ServiceKey.open({
        service,
        dataFolder: config.dataFolder(service),
        home: config.home,
        clock,
      });
      return new TokenExchange({ key, client, verifier, clock });
    },
  };
}
