import { join } from 'node:path';
import { formatMongoUrl, parseMongoUrl } from './mongo-url.js';
import { Secret } from './secret.js';
import { ADDRESSED, type AddressedService } from './services.js';
import type { Settings } from './settings.js';

/**
 * The database of every service. SCS_<SERVICE>_DATABASE_URL is taken as it is; from SCS_DATABASE_URL each service gets a
 * folder or a database of its own, because nobody opens the database of another.
 */
export function databaseUrls(settings: Partial<Settings>, home: string): Record<AddressedService, Secret> {
  const common = settings.SCS_DATABASE_URL ?? `sqlite:${join(home, 'data')}`;
  const entries = ADDRESSED.map((service) => {
    const own = settings[`SCS_${service.toUpperCase() as Uppercase<AddressedService>}_DATABASE_URL`];
    return [
      service,
      new Secret(withDatabaseAuthority(own ?? forService(common, service), settings.SCS_DATABASE_CA_FILE)),
    ];
  });
  return Object.fromEntries(entries) as Record<AddressedService, Secret>;
}

/** Names the authority of SCS_DATABASE_CA_FILE in an address that names none and needs one. */
export function withDatabaseAuthority(text: string, caFile: string | undefined): string {
  const url = caFile === undefined ? undefined : parseMongoUrl(text);
  if (url === undefined || caFile === undefined) return text;
  const named = [...url.options.keys()].some((option) => option.toLowerCase() === 'tlscafile');
  if (named || url.hosts.split(',').every((host) => host.endsWith('.sock'))) return text;
  const options = new URLSearchParams(url.options);
  options.set('tlsCAFile', caFile);
  return formatMongoUrl({ ...url, options });
}

function forService(common: string, service: string): string {
  if (common.startsWith('sqlite:')) return `sqlite:${join(common.slice('sqlite:'.length), service)}`;
  const url = parseMongoUrl(common);
  if (url === undefined) throw new Error('A database URL that was checked is none');
  const options = new URLSearchParams(url.options);
  // The driver authenticates against the database of the path unless told otherwise: keep meaning what was written.
  if (url.credentials !== undefined && !options.has('authSource'))
    options.set('authSource', url.database === '' ? 'admin' : url.database);
  return formatMongoUrl({
    ...url,
    database: `${url.database === '' ? 'scs' : url.database}_${service}`,
    options,
  });
}
