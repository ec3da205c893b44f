import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expected, isPrivateSocket, systemCode } from '#libs/core';
import { isLoopback } from './config.js';
import { parseMongoUrl, type MongoUrl } from './mongo-url.js';
import { ADDRESSED, type AddressedService } from './services.js';
import type { Settings } from './settings.js';
import { parseUrl } from './values.js';

/**
 * What is wrong with the ways to other services, databases and queue, a sentence each.
 *
 * Where documents and jobs leave the process they are encrypted and behind a password, on this machine, too: whoever may run
 * a program here can listen on a port of 127.0.0.1. The exception is a unix socket: nobody listens in on it, and one that is
 * closed to everybody else needs no password either.
 * The drivers check the same again with what they made of the address.
 */
export function transportFaults(settings: Partial<Settings>): string[] {
  const faults = plainHttpFaults(settings);
  for (const name of DATABASES) faults.push(...databaseFaults(name, settings[name] ?? ''));
  faults.push(...redisFaults('SCS_REDIS_URL', settings.SCS_REDIS_URL ?? ''));
  for (const name of [
    'SCS_DATABASE_CA_FILE',
    'SCS_REDIS_CA_FILE',
    'SCS_S3_CA_FILE',
    'SCS_WEBHOOK_CA_FILE',
  ] as const)
    if (settings[name] !== undefined) faults.push(...authorityFaults(name, settings[name]));
  return faults;
}

/**
 * Tokens travel between services and from clients: over plain HTTP only where it was asked for, and between services only on
 * this machine.
 */
function plainHttpFaults(settings: Partial<Settings>): string[] {
  const asked = settings.SCS_INSECURE_HTTP === true;
  const faults: string[] = [];
  if (settings.SCS_PUBLIC_URL?.startsWith('http:') === true && !asked)
    faults.push(
      expected('an https address without SCS_INSECURE_HTTP=yes', 'SCS_PUBLIC_URL', settings.SCS_PUBLIC_URL),
    );
  for (const name of SERVICE_URLS) {
    const url = settings[name];
    if (url?.startsWith('http:') !== true || (asked && isLoopback(hostOf(url)))) continue;
    faults.push(`${expected('an https address', name, url)}: tokens would travel unencrypted`);
  }
  return faults;
}

const hostOf = (url: string): string => new URL(url).hostname.replace(/^\[|\]$/g, '');

const SERVICE_URLS = ADDRESSED.map(
  (service) => `SCS_${service.toUpperCase() as Uppercase<AddressedService>}_URL` as const,
);

const DATABASES = [
  'SCS_DATABASE_URL',
  ...ADDRESSED.map(
    (service) => `SCS_${service.toUpperCase() as Uppercase<AddressedService>}_DATABASE_URL` as const,
  ),
] as const;

function databaseFaults(name: string, text: string): string[] {
  const url = parseMongoUrl(text);
  if (url === undefined) return [];
  const options = optionsOf(url);
  const hosts = url.hosts.split(',');
  const sockets = hosts.filter((host) => host.endsWith('.sock')).map(decode);
  const remote = hosts.filter((host) => !host.endsWith('.sock'));
  const faults: string[] = [];
  if (remote.length > 0 && !speaksTls(url, options))
    faults.push(
      `Expected tls=true in ${name}: without TLS a database is asked on a unix socket only, not at ${remote.join(',')}`,
    );
  const weak = WEAKENING.find(([option, bad]) => options.get(option)?.includes(bad));
  if (weak !== undefined)
    faults.push(
      `Expected no ${weak[0]}=${weak[1]} in ${name}: anybody could pose as the database. Name its authority in SCS_DATABASE_CA_FILE`,
    );
  const closed = remote.length === 0 && sockets.every(isPrivateSocket);
  if (!closed && !identifies(url, options))
    faults.push(
      `Expected a user and a password in ${name}: without them only a unix socket that is closed to other users will do`,
    );
  return faults;
}

function redisFaults(name: string, text: string): string[] {
  const url = parseUrl(text);
  if (url === undefined) return [];
  if (url.protocol === 'unix:') {
    const password = url.searchParams.get('password') ?? '';
    return password !== '' || isPrivateSocket(decode(url.pathname)) ? [] : [passwordMissing(name)];
  }
  const faults: string[] = [];
  if (url.protocol !== 'rediss:')
    faults.push(
      `Expected rediss:// in ${name}: without TLS Redis is asked on a unix socket only, not at ${url.host}`,
    );
  if (url.password === '') faults.push(passwordMissing(name));
  return faults;
}

function passwordMissing(name: string): string {
  return `Expected a password in ${name}: without one only a unix socket that is closed to other users will do`;
}

function authorityFaults(name: string, file: string): string[] {
  try {
    // Parsed for its refusal alone.
    void new X509Certificate(readFileSync(file));
    return [];
  } catch (error) {
    const code = systemCode(error) ?? '';
    if (code.startsWith('ERR_')) return [expected('certificates in PEM', name, file)];
    return [`${expected('a file that can be read', name, file)} (${code})`];
  }
}

/** Options of the driver that let it talk to anybody. Lower case; the driver does not care about case. */
const WEAKENING: readonly (readonly [string, string])[] = [
  ['tlsinsecure', 'true'],
  ['tlsallowinvalidcertificates', 'true'],
  ['tlsallowinvalidhostnames', 'true'],
];

type Options = ReadonlyMap<string, readonly string[]>;

function optionsOf({ options }: MongoUrl): Options {
  const found = new Map<string, string[]>();
  for (const [name, value] of options)
    found.set(name.toLowerCase(), [...(found.get(name.toLowerCase()) ?? []), value.toLowerCase()]);
  return found;
}

function speaksTls(url: MongoUrl, options: Options): boolean {
  const said = [...(options.get('tls') ?? []), ...(options.get('ssl') ?? [])];
  // Addresses in DNS mean TLS unless they say otherwise.
  if (said.length === 0) return url.scheme === 'mongodb+srv://';
  return said.every((value) => value === 'true');
}

function identifies({ credentials }: MongoUrl, options: Options): boolean {
  // By a client certificate there is no password.
  if (options.get('authmechanism')?.includes('mongodb-x509') === true) return true;
  return /^[^:]+:.+$/.test(credentials ?? '');
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
