import { join } from 'node:path';
import { Secret } from './secret.js';
import { WITH_DATABASE, type AddressedService } from './services.js';
import type { Settings } from './settings.js';

/**
 * The database of every service. SCS_<SERVICE>_DATABASE_URL is taken as it is; from SCS_DATABASE_URL each service gets a
 * folder or a database of its own, because nobody opens the database of another.
 */
export function databaseUrls(settings: Partial<Settings>, home: string): Record<AddressedService, Secret> {
  const common = settings.SCS_DATABASE_URL ?? `sqlite:${join(home, 'data')}`;
  const entries = WITH_DATABASE.map((service) => {
    const own = settings[`SCS_${service.toUpperCase() as Uppercase<AddressedService>}_DATABASE_URL`];
    return [service, new Secret(own ?? forService(common, service))];
  });
  return Object.fromEntries(entries) as Record<AddressedService, Secret>;
}

function forService(common: string, service: string): string {
  if (common.startsWith('sqlite:')) return `sqlite:${join(common.slice('sqlite:'.length), service)}`;
  const url = new URL(common);
  const database = url.pathname.replace(/^\//, '');
  // The driver authenticates against the database of the path unless told otherwise: keep meaning what was written.
  if (url.username !== '' && !url.searchParams.has('authSource'))
    url.searchParams.set('authSource', database === '' ? 'admin' : database);
  url.pathname = `/${database === '' ? 'scs' : database}_${service}`;
  return url.href;
}
