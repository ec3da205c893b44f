import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Surroundings } from '#libs/cli';
import { type AddressedService, formatMongoUrl, parseMongoUrl } from '#libs/config';
import { DomainError, expected, newSecret, placeFile, systemCode } from '#libs/core';

/** Where a service will find its database. */
export interface ServiceAddress {
  readonly service: AddressedService;
  /** Holds user and password. */
  readonly url: string;
  /** The file with the address; undefined where a setting holds it. */
  readonly file: string | undefined;
  /** Whether the file is still to be written. */
  readonly fresh: boolean;
}

export interface AddressOptions {
  /** The administrator's address, for hosts and options; undefined: a dry run without one. */
  readonly admin: string | undefined;
  /** What names of users and databases begin with. */
  readonly prefix: string;
  readonly folder: string;
}

/**
 * The address of a service's database: what its setting says, else what a run before this one wrote down, else a new one with a
 * new password. So a second run changes no password, and whoever keeps passwords elsewhere puts them there first.
 * @throws DomainError for a file or setting that is no MongoDB address
 */
export async function addressOf(
  service: AddressedService,
  place: Pick<Surroundings, 'env' | 'cwd'>,
  { admin, prefix, folder }: AddressOptions,
): Promise<ServiceAddress> {
  const setting = settingOf(service);
  const named = place.env.get(`${setting}_FILE`);
  const direct = place.env.get(setting);
  if (direct !== undefined) return { service, url: checked(setting, direct), file: undefined, fresh: false };
  const file = named === undefined ? join(folder, `${service}.url`) : resolve(place.cwd, named);
  const text = await readOptional(file);
  if (text !== undefined) return { service, url: checked(file, text), file, fresh: false };
  return { service, url: newAddress(`${prefix}_${service}`, admin), file, fresh: true };
}

export function settingOf(service: AddressedService): string {
  return `SCS_${service.toUpperCase()}_DATABASE_URL`;
}

/** Writes a new address down, for its owner alone. Before the user is made: a password that nobody knows helps nobody. */
export async function store({ url, file }: ServiceAddress): Promise<void> {
  if (file === undefined) return;
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  await placeFile(file, { overwrite: false, mode: 0o600 }, (handle) => handle.writeFile(`${url}\n`));
}

/** Hosts and options are those of the administrator; the user and its database have the same name and are kept together. */
function newAddress(name: string, admin: string | undefined): string {
  const url = parseMongoUrl(admin ?? 'mongodb://localhost/?tls=true');
  if (url === undefined) throw new Error('The address of the administrator was not checked');
  const options = new URLSearchParams(
    [...url.options].filter(([option]) => !PERSONAL.has(option.toLowerCase())),
  );
  return formatMongoUrl({ ...url, credentials: `${name}:${newSecret()}`, database: name, options });
}

/** How the administrator signs in. */
const PERSONAL = new Set([
  'authsource',
  'authmechanism',
  'authmechanismproperties',
  'tlscertificatekeyfile',
  'tlscertificatekeyfilepassword',
]);

function checked(name: string, text: string): string {
  const url = text.trim();
  if (parseMongoUrl(url) !== undefined) return url;
  throw new DomainError('bad_request', expected('a mongodb:// address', name, 'something else'), {
    reason: 'bad_database_url',
    remedy: 'SQLite needs no users: scs db init is for MongoDB',
  });
}

async function readOptional(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
