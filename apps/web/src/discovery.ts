import type { ScsConfig } from '#libs/config';
import type { DiscoveryDocument } from '#libs/contract';

/**
 * Where clients find the services (library contract §2.1, builder contract §1). Objects only: "one top-level string or number makes
 * all discovery fail". `keystoreAPI` alone, because with `keyserverAPI` beside it the winner is random. The builder is listed
 * even where no build can run: it answers for itself, and `remote status` shows it.
 */
export function discoveryDocument(config: ScsConfig): DiscoveryDocument {
  return {
    libraryAPI: { uri: config.serviceUrl('library') },
    keystoreAPI: { uri: config.serviceUrl('keystore') },
    tokenAPI: { uri: config.serviceUrl('auth') },
    builderAPI: { uri: config.serviceUrl('builder') },
  };
}
