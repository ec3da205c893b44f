import type { ScsConfig } from '#libs/config';
import type { ServiceModule } from '#libs/server';

type Service = ScsConfig['services'][number];

/** The module file of every service; loaded only where the service is chosen. */
const MODULES: Readonly<Record<Service, () => Promise<ServiceModule>>> = {
  auth: async () => (await import('../../auth/src/auth.module.js')).AuthModule,
  keystore: async () => (await import('../../keystore/src/keystore.module.js')).KeystoreModule,
  library: async () => (await import('../../library/src/library.module.js')).LibraryModule,
  builder: async () => (await import('../../builder/src/builder.module.js')).BuilderModule,
  worker: async () => (await import('../../worker/src/worker.module.js')).WorkerModule,
  web: async () => (await import('../../web/src/web.module.js')).WebModule,
};

/** The modules of the services that SCS_SERVICES names, in start order. */
export async function chosenModules(config: ScsConfig): Promise<readonly ServiceModule[]> {
  return await Promise.all(config.services.map(async (service) => await MODULES[service]()));
}
