import { isIP } from 'node:net';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { AddressedService, Service } from './services.js';
import type { Secret } from './secret.js';
import type { BuildNetwork, KeystoreAnonymous, KeystoreReads } from './values.js';

export interface TlsSettings {
  /** `own`: issued by the instance's authority. `site`: given by the operator and read again when they change. */
  readonly mode: 'own' | 'site';
  readonly certFile: string;
  readonly keyFile: string;
  /** What clients must trust; undefined for plain HTTP and for a site certificate of an authority that everybody trusts. */
  readonly caFile: string | undefined;
  /** More authorities that services trust when they call each other (SCS_TLS_CA_FILE). */
  readonly extraCaFile: string | undefined;
}

/** How to reach the queue server. */
export type RedisSettings =
  | { readonly kind: 'unix'; readonly path: string; readonly username: string; readonly password: Secret }
  | {
      readonly kind: 'tcp';
      readonly host: string;
      readonly port: number;
      readonly tls: boolean;
      readonly username: string;
      readonly password: Secret;
      readonly database: number;
    };

/** Where numbers are shown to Prometheus. */
export interface MetricsSettings {
  /** Address to listen on. */
  readonly host: string;
  readonly port: number;
}

/** The object store of the blobs. */
export interface S3Settings {
  /** No slash at its end; undefined: Amazon's own for the region. */
  readonly endpoint: string | undefined;
  readonly region: string;
  /** Where clients reach the same store; undefined: they do not, and bytes come through the library. */
  readonly publicEndpoint: string | undefined;
  readonly accessKeyId: string;
  readonly secretAccessKey: Secret;
  /** Authorities by which the store is trusted, instead of the public ones. */
  readonly caFile: string | undefined;
}

/** What the keystore lets people do. */
export interface KeystoreSettings {
  readonly reads: KeystoreReads;
  /** What is taken without a token. */
  readonly anonymous: KeystoreAnonymous;
  /** Addresses and networks from which everything is taken without a token. */
  readonly networks: readonly string[];
  /** Uploads in an hour, for each account and each address without a token. */
  readonly adds: number;
  /** Searches in a second from one address. */
  readonly searches: number;
  /** Keys that one address may fetch in a second. */
  readonly gets: number;
  /** Domains of e-mail addresses that are served as a Web Key Directory, lower case. */
  readonly wkdDomains: readonly string[];
}

/** What an operator chooses for the library. */
export interface LibrarySettings {
  /** Bytes in a second at which image data is read again in the background; 0 = never. */
  readonly scrubRate: number;
  /** Bytes that an account may hold over all entities, unless it has a quota of its own; 0 = no limit. */
  readonly accountQuota: number;
  /** The quota of an entity that somebody makes who is no administrator, in bytes; 0 = none. */
  readonly entityQuota: number;
  /** Whether what is made in a new entity is private unless its owner changes that. */
  readonly defaultPrivate: boolean;
  /** Addresses and networks that webhooks reach besides the internet. */
  readonly webhookNetworks: readonly string[];
  /** Authorities by which receivers of webhooks are trusted besides the public ones. */
  readonly webhookCaFile: string | undefined;
}

/** The plain values of a configuration, as `loadConfig` puts them together. */
export interface ConfigValues {
  readonly home: string;
  readonly version: string;
  readonly installFolder: string;
  readonly host: string;
  readonly port: number;
  readonly publicUrl: string;
  readonly names: readonly string[];
  readonly services: readonly Service[];
  readonly serviceUrls: Readonly<Partial<Record<AddressedService, string>>>;
  readonly tls: TlsSettings;
  readonly databaseUrls: Readonly<Record<AddressedService, Secret>>;
  readonly redis: RedisSettings | undefined;
  readonly redisUrl: Secret | undefined;
  readonly blobsUrl: string;
  readonly s3: S3Settings | undefined;
  readonly logLevel: string;
  readonly metrics: MetricsSettings | undefined;
  readonly httpPort: number | undefined;
  readonly insecureHttp: boolean;
  readonly trustedProxies: readonly string[];
  readonly buildNetwork: BuildNetwork;
  readonly library: LibrarySettings;
  readonly keystore: KeystoreSettings;
  readonly warnings: readonly string[];
}

/** Everything that an operator can choose, read once and checked. Injectable as a value; holds no live state. */
export class ScsConfig {
  /** The state folder, absolute. */
  readonly home: string;
  readonly version: string;
  /** The folder that holds `bin/`, `dist/` and `node_modules/`. */
  readonly installFolder: string;
  /** Address to listen on. */
  readonly host: string;
  readonly port: number;
  /** What clients are told; no slash at its end. */
  readonly publicUrl: string;
  /** More names and addresses for the own certificate. */
  readonly names: readonly string[];
  /** What runs in this process, in start order. */
  readonly services: readonly Service[];
  readonly tls: TlsSettings;
  /** The queue server; undefined = there is none, and remote builds are not offered. */
  readonly redis: RedisSettings | undefined;
  /** `file:<folder>` or `s3://<bucket>/<prefix>`. */
  readonly blobsUrl: string;
  /** The object store, for the latter. */
  readonly s3: S3Settings | undefined;
  readonly logLevel: string;
  /** Undefined = off. */
  readonly metrics: MetricsSettings | undefined;
  /** Port of the redirect from http; undefined = off. */
  readonly httpPort: number | undefined;
  readonly insecureHttp: boolean;
  /** Addresses and networks (`10.0.0.0/8`) whose X-Forwarded-For is believed. */
  readonly trustedProxies: readonly string[];
  /** What `%post` of remote builds reaches. */
  readonly buildNetwork: BuildNetwork;
  readonly library: LibrarySettings;
  readonly keystore: KeystoreSettings;
  /** Sentences about settings that look like mistakes but do not stop the start. */
  readonly warnings: readonly string[];
  readonly #values: ConfigValues;

  constructor(values: ConfigValues) {
    this.#values = values;
    this.home = values.home;
    this.version = values.version;
    this.installFolder = values.installFolder;
    this.host = values.host;
    this.port = values.port;
    this.publicUrl = values.publicUrl;
    this.names = values.names;
    this.services = values.services;
    this.tls = values.tls;
    this.redis = values.redis;
    this.blobsUrl = values.blobsUrl;
    this.s3 = values.s3;
    this.logLevel = values.logLevel;
    this.metrics = values.metrics;
    this.httpPort = values.httpPort;
    this.insecureHttp = values.insecureHttp;
    this.trustedProxies = values.trustedProxies;
    this.buildNetwork = values.buildNetwork;
    this.library = values.library;
    this.keystore = values.keystore;
    this.warnings = values.warnings;
  }

  /** Whether `service` runs in this process. */
  runs(service: Service): boolean {
    return this.services.includes(service);
  }

  /**
   * Base URL of a service for clients and for other services, without a slash at its end.
   * Calls inside the server side go through the dispatcher of InternalClient, which reaches the own process directly.
   * @throws Error when this process does not need that service: a bug in the table of needs
   */
  serviceUrl(service: AddressedService): string {
    const url = this.knownUrl(service);
    if (url === undefined) throw new Error(`No URL of ${service}: list it in NEEDS of libs/config`);
    return url;
  }

  /** The same of a service that this process can do without; undefined when nobody has said where it is. */
  knownUrl(service: AddressedService): string | undefined {
    return this.#values.serviceUrls[service] ?? (this.runs(service) ? this.publicUrl : undefined);
  }

  /** `sqlite:<folder>` or `mongodb://…`: the database of one service. It may hold a password: never log it. */
  databaseUrl(service: AddressedService): string {
    return this.#values.databaseUrls[service].reveal();
  }

  /** The queue server as a URL (`unix:/path?username=…&password=…`, `redis://…`, `rediss://…`). Never log it. */
  get redisUrl(): string | undefined {
    return this.#values.redisUrl?.reveal();
  }

  /** Where a service keeps what is its own on disk. Made when the process starts. */
  dataFolder(service: string): string {
    return join(this.home, 'data', service);
  }

  get logFolder(): string {
    return join(this.home, 'log');
  }

  /** For sockets and locks. Where SCS_HOME is too long for a socket path it lies in /tmp and SCS_HOME/run links to it. */
  get runFolder(): string {
    return runFolderOf(this.home);
  }

  /** Whether `host` can be reached from this machine only. */
  get loopbackOnly(): boolean {
    return isLoopback(this.host);
  }

  /** The address by which this process reaches itself. */
  get ownAddress(): string {
    if (this.host === '0.0.0.0') return '127.0.0.1';
    return this.host === '::' ? '::1' : this.host;
  }
}

/** Unix socket paths end at 107 bytes; ours have at most 30 after the run folder. */
const LONGEST_RUN_FOLDER = 76;

/** The run folder of a state folder; see ScsConfig.runFolder. */
function runFolderOf(home: string): string {
  const inside = join(home, 'run');
  if (Buffer.byteLength(inside) <= LONGEST_RUN_FOLDER) return inside;
  const name = createHash('sha256').update(home).digest('hex').slice(0, 16);
  return `/tmp/scs-${process.getuid?.() ?? 0}-${name}`;
}

/** Whether a listening address is loopback. */
export function isLoopback(host: string): boolean {
  if (host === 'localhost' || host === '::1') return true;
  return isIP(host) === 4 && host.startsWith('127.');
}
