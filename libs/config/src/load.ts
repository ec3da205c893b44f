import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { DomainError, expected, systemCode } from '#libs/core';
import {
  isLoopback,
  type KeystoreSettings,
  type MetricsSettings,
  ScsConfig,
  type TlsSettings,
} from './config.js';
import { databaseUrls } from './databases.js';
import { installation } from './installation.js';
import { redisAddress, redisOf } from './redis-url.js';
import { s3Faults, s3Of, s3Warnings } from './s3.js';
import { Secret } from './secret.js';
import { ADDRESSED, NEEDS, SERVICES, type AddressedService, type Service } from './services.js';
import { GROUPS, notesOf, Settings, type SettingName } from './settings.js';
import { transportFaults } from './transport.js';

type Environment = Readonly<Record<string, string | undefined>>;

/** The environment of this process, for programs that it starts. Settings are read with {@link loadConfig}. */
export function environment(): NodeJS.ProcessEnv {
  return { ...process.env };
}

/** Secrets are a line; a megabyte is somebody's mistake. */
const LARGEST_SECRET_FILE = 64 * 1024;
/** Bytes in a second: a terabyte in three days, and nothing that anybody notices. */
const SCRUB_RATE = 4 * 1024 * 1024;
const shapes = Object.assign(
  {},
  ...Object.values(GROUPS).map((group) => group.shape),
) as typeof Settings.shape;
const NAMES = Object.keys(shapes) as SettingName[];

/**
 * Reads the settings of a server process. Everything has a default that works for one machine.
 * @param env the environment; that of this process when absent
 * @param only what runs in this process whatever SCS_SERVICES says: a program of one service names itself
 * @throws DomainError `unprocessable` that lists every wrong setting by name with what was expected
 */
export function loadConfig(env: Environment = environment(), only?: readonly Service[]): ScsConfig {
  const faults: string[] = [];
  const raw = readRaw(env, faults);
  const parsed = Settings.safeParse(raw);
  if (!parsed.success)
    for (const issue of parsed.error.issues) {
      const name = issue.path[0] as SettingName;
      const secret = notesOf(shapes[name]).secret === true;
      faults.push(expected(issue.message, name, secret ? new Secret('') : raw[name]));
    }
  const settings: Partial<Settings> = parsed.success ? parsed.data : parsedAlone(raw);
  const services = only ?? settings.SCS_SERVICES ?? SERVICES;
  const { folder, version } = installation();
  const home = resolve(settings.SCS_HOME ?? join(folder, '.scs'));
  const host = settings.SCS_HOST ?? '127.0.0.1';
  const port = settings.SCS_PORT ?? 8443;
  const insecureHttp = settings.SCS_INSECURE_HTTP ?? false;
  checkTogether(settings, { host, port, insecureHttp, services }, raw, faults);
  faults.push(...transportFaults(settings), ...s3Faults(settings, (name) => raw[name] !== undefined));
  const redisUrl = redisAddress(settings);
  if (faults.length > 0) throw wrongSettings(faults);
  return new ScsConfig({
    home,
    version,
    installFolder: folder,
    host,
    port,
    insecureHttp,
    publicUrl: settings.SCS_PUBLIC_URL ?? defaultPublicUrl(host, port, insecureHttp),
    names: settings.SCS_NAMES ?? [],
    services,
    serviceUrls: serviceUrls(settings),
    tls: tlsOf(settings, home, insecureHttp),
    databaseUrls: databaseUrls(settings, home),
    redis: redisOf(redisUrl),
    redisUrl: redisUrl === undefined ? undefined : new Secret(redisUrl),
    blobsUrl: settings.SCS_BLOBS_URL ?? `file:${join(home, 'data', 'library', 'blobs')}`,
    s3: s3Of(settings),
    logLevel: settings.SCS_LOG_LEVEL ?? 'info',
    metrics: metricsOf(settings),
    httpPort: settings.SCS_HTTP_PORT,
    trustedProxies: settings.SCS_TRUSTED_PROXIES ?? [],
    buildNetwork: settings.SCS_BUILD_NETWORK ?? 'host',
    library: {
      scrubRate: settings.SCS_LIBRARY_SCRUB_RATE ?? SCRUB_RATE,
      accountQuota: settings.SCS_LIBRARY_ACCOUNT_QUOTA ?? 0,
      entityQuota: settings.SCS_LIBRARY_ENTITY_QUOTA ?? 0,
      defaultPrivate: settings.SCS_LIBRARY_DEFAULT_PRIVATE ?? false,
      webhookNetworks: settings.SCS_WEBHOOK_NETWORKS ?? [],
      webhookCaFile: settings.SCS_WEBHOOK_CA_FILE,
    },
    keystore: keystoreOf(settings),
    warnings: [
      ...unknownNames(env),
      ...proxyWarnings(settings),
      ...metricsWarnings(settings),
      ...s3Warnings(settings, host),
    ],
  });
}

/** The values as text: empty means absent, and a secret may come from the file that NAME_FILE names. */
function readRaw(env: Environment, faults: string[]): Partial<Record<SettingName, string>> {
  const raw: Partial<Record<SettingName, string>> = {};
  for (const name of NAMES) {
    const direct = env[name]?.trim() ?? '';
    const file = notesOf(shapes[name]).secret === true ? (env[`${name}_FILE`]?.trim() ?? '') : '';
    if (direct !== '' && file !== '') faults.push(`Expected one of ${name} and ${name}_FILE, got both`);
    else if (file !== '') {
      const text = readSecret(`${name}_FILE`, file, faults);
      if (text !== undefined) raw[name] = text;
    } else if (direct !== '') raw[name] = direct;
  }
  return raw;
}

function readSecret(name: string, file: string, faults: string[]): string | undefined {
  try {
    const text = readFileSync(file, 'utf8');
    if (text.trim() !== '' && text.length <= LARGEST_SECRET_FILE) return text.trim();
    faults.push(expected('a file of one line', name, file));
  } catch (error) {
    faults.push(`${expected('a file that can be read', name, file)} (${systemCode(error) ?? 'unreadable'})`);
  }
  return undefined;
}

/** What is right among settings of which some are wrong, so that combinations are checked in the same run. */
function parsedAlone(raw: Partial<Record<SettingName, string>>): Partial<Settings> {
  const good = NAMES.map((name) => [name, shapes[name].safeParse(raw[name])] as const)
    .filter(([, result]) => result.success)
    .map(([name, result]) => [name, result.data]);
  return Object.fromEntries(good) as Partial<Settings>;
}

interface Chosen {
  readonly host: string;
  readonly port: number;
  readonly insecureHttp: boolean;
  readonly services: readonly Service[];
}

function checkTogether(
  settings: Partial<Settings>,
  chosen: Chosen,
  raw: Partial<Record<SettingName, string>>,
  faults: string[],
): void {
  if ((raw.SCS_TLS_CERT_FILE === undefined) !== (raw.SCS_TLS_KEY_FILE === undefined))
    faults.push('Expected SCS_TLS_CERT_FILE and SCS_TLS_KEY_FILE together, got one of them');
  if (chosen.insecureHttp && !isLoopback(chosen.host))
    faults.push(expected('a loopback address with SCS_INSECURE_HTTP=yes', 'SCS_HOST', chosen.host));
  if (chosen.insecureHttp && raw.SCS_HTTP_PORT !== undefined)
    faults.push('Expected no SCS_HTTP_PORT with SCS_INSECURE_HTTP=yes: there is no https to redirect to');
  if (settings.SCS_HTTP_PORT === chosen.port)
    faults.push(expected('a port other than SCS_PORT', 'SCS_HTTP_PORT', chosen.port));
  checkMetrics(settings, chosen, faults);
  const missing = new Set<AddressedService>(
    chosen.services
      .flatMap((service) => NEEDS[service])
      .filter((need) => !chosen.services.includes(need) && raw[urlName(need)] === undefined),
  );
  for (const service of missing)
    faults.push(`Expected a URL for ${urlName(service)}, because ${service} does not run here, got nothing`);
}

function metricsOf(settings: Partial<Settings>): MetricsSettings | undefined {
  const { SCS_METRICS_PORT: port, SCS_METRICS_HOST: host = '127.0.0.1' } = settings;
  return port === undefined ? undefined : { host, port };
}

function checkMetrics(settings: Partial<Settings>, chosen: Chosen, faults: string[]): void {
  const metrics = metricsOf(settings);
  if (metrics === undefined) return;
  const { host, port } = metrics;
  if (port === chosen.port || port === settings.SCS_HTTP_PORT)
    faults.push(expected('a port of its own', 'SCS_METRICS_PORT', port));
  // Nothing leaves the machine in plain text.
  if (chosen.insecureHttp && !isLoopback(host))
    faults.push(expected('a loopback address with SCS_INSECURE_HTTP=yes', 'SCS_METRICS_HOST', host));
}

function metricsWarnings({ SCS_METRICS_HOST, SCS_METRICS_PORT }: Partial<Settings>): string[] {
  return SCS_METRICS_HOST !== undefined && SCS_METRICS_PORT === undefined
    ? ['SCS_METRICS_HOST has no effect without SCS_METRICS_PORT']
    : [];
}

function proxyWarnings({ SCS_INSECURE_HTTP, SCS_TRUSTED_PROXIES }: Partial<Settings>): string[] {
  return SCS_INSECURE_HTTP === true && SCS_TRUSTED_PROXIES === undefined
    ? [
        'With SCS_INSECURE_HTTP=yes every request seems to come from the proxy, and a stranger can use up its tries at passwords: name the proxy in SCS_TRUSTED_PROXIES (127.0.0.1)',
      ]
    : [];
}

function urlName(service: AddressedService): `SCS_${Uppercase<AddressedService>}_URL` {
  return `SCS_${service.toUpperCase() as Uppercase<AddressedService>}_URL`;
}

function serviceUrls(settings: Partial<Settings>): Partial<Record<AddressedService, string>> {
  const given = ADDRESSED.map((service) => [service, settings[urlName(service)]] as const);
  return Object.fromEntries(given.filter(([, url]) => url !== undefined));
}

function tlsOf(settings: Partial<Settings>, home: string, insecure: boolean): TlsSettings {
  const extraCaFile = settings.SCS_TLS_CA_FILE;
  const { SCS_TLS_CERT_FILE: certFile, SCS_TLS_KEY_FILE: keyFile } = settings;
  if (certFile !== undefined && keyFile !== undefined)
    return { mode: 'site', certFile, keyFile, caFile: insecure ? undefined : extraCaFile, extraCaFile };
  const folder = join(home, 'tls');
  return {
    mode: 'own',
    certFile: join(folder, 'server.pem'),
    keyFile: join(folder, 'server.pem'),
    caFile: insecure ? undefined : join(folder, 'ca.pem'),
    extraCaFile,
  };
}

/** The rates are those of keystore contract §4.1. */
function keystoreOf(settings: Partial<Settings>): KeystoreSettings {
  return {
    reads: settings.SCS_KEYSTORE_READS ?? 'everybody',
    anonymous: settings.SCS_KEYSTORE_ANONYMOUS ?? 'nothing',
    networks: settings.SCS_KEYSTORE_NETWORKS ?? [],
    adds: settings.SCS_KEYSTORE_ADDS ?? 60,
    searches: settings.SCS_KEYSTORE_SEARCHES ?? 10,
    gets: settings.SCS_KEYSTORE_GETS ?? 200,
    wkdDomains: settings.SCS_WKD_DOMAINS ?? [],
  };
}

function defaultPublicUrl(host: string, port: number, insecure: boolean): string {
  const everywhere = host === '0.0.0.0' || host === '::';
  let name = host;
  if (everywhere) name = hostname();
  else if (isLoopback(host)) name = 'localhost';
  else if (host.includes(':')) name = `[${host}]`;
  return new URL(`${insecure ? 'http' : 'https'}://${name}:${port}`).origin;
}

/** A misspelt name would silently have no effect; other programs may own names that start with SCS_, so it only warns. */
function unknownNames(env: Environment): string[] {
  const known = new Set<string>(NAMES.flatMap((name) => [name, `${name}_FILE`]));
  return Object.keys(env)
    .filter((name) => name.startsWith('SCS_') && !name.startsWith('SCS_TEST_') && !known.has(name))
    .sort()
    .map((name) => `${name} is not a setting of this version and has no effect`);
}

function wrongSettings(faults: readonly string[]): DomainError {
  const head = faults.length === 1 ? 'A setting is wrong' : `${faults.length} settings are wrong`;
  return new DomainError('unprocessable', `${head}:\n${faults.map((fault) => `  ${fault}`).join('\n')}`, {
    reason: 'wrong_settings',
    remedy: '.env.example lists every setting with its meaning.',
  });
}
