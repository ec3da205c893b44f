import { z } from 'zod';
import { ADDRESSED, SERVICES } from './services.js';
import {
  AbsolutePath,
  BaseUrl,
  BlobsUrl,
  BuildNetwork,
  ByteRate,
  ByteSize,
  DatabaseUrl,
  Domains,
  Endpoint,
  Host,
  KeystoreAnonymous,
  KeystoreReads,
  LogLevel,
  Names,
  Networks,
  Port,
  Rate,
  RedisUrl,
  Region,
  S3Word,
  ServiceList,
  YesNo,
} from './values.js';

/** What is written about a setting in `.env.example`. */
export interface SettingNotes {
  readonly about: string;
  /** Shown as the value of the commented line. */
  readonly example: string;
  /** Holds a password or may hold one: also read from the file that `NAME_FILE` names, and printed as `***`. */
  readonly secret?: true;
}

const notes = z.registry<SettingNotes>();
/** The notes of a setting. @throws Error for a schema that is no setting, which is a bug */
export function notesOf(schema: z.ZodType): SettingNotes {
  const found = notes.get(schema);
  if (found === undefined) throw new Error('A setting without notes');
  return found;
}

function setting<T extends z.ZodType>(schema: T, about: SettingNotes): z.ZodOptional<T> {
  const optional = schema.optional();
  notes.add(optional, about);
  return optional;
}

type Upper<S extends readonly string[], Suffix extends string> = `SCS_${Uppercase<S[number]>}_${Suffix}`;

function perService<const S extends readonly string[], const Suffix extends string, T extends z.ZodType>(
  services: S,
  suffix: Suffix,
  make: (service: S[number]) => z.ZodOptional<T>,
): Record<Upper<S, Suffix>, z.ZodOptional<T>> {
  return Object.fromEntries(
    services.map((service) => [`SCS_${service.toUpperCase()}_${suffix}`, make(service)]),
  ) as Record<Upper<S, Suffix>, z.ZodOptional<T>>;
}

const instance = z.object({
  SCS_HOME: setting(AbsolutePath, {
    about: 'State folder of the instance, mode 0700: data, keys, logs. Default: .scs in the checkout.',
    example: '/var/lib/scs',
  }),
  SCS_HOST: setting(Host, {
    about: 'Address to listen on. 0.0.0.0 or :: for every one.',
    example: '127.0.0.1',
  }),
  SCS_PORT: setting(Port, { about: 'Port to listen on (https).', example: '8443' }),
  SCS_PUBLIC_URL: setting(BaseUrl, {
    about: 'What clients are told. Default: https, localhost (or the name of the machine), the port.',
    example: 'https://scs.example.org',
  }),
  SCS_HTTP_PORT: setting(Port, {
    about: 'A plain-HTTP port that does nothing but redirect (307) to https. Off by default.',
    example: '8080',
  }),
  SCS_INSECURE_HTTP: setting(YesNo, {
    about: 'yes = speak plain HTTP, for a proxy in front on the same machine. Refused on a public address.',
    example: 'no',
  }),
  SCS_TRUSTED_PROXIES: setting(Networks, {
    about:
      'Addresses and networks of proxies in front. From them, and from nobody else, X-Forwarded-For is taken as the address of a client. Default: none.',
    example: '127.0.0.1,192.0.2.0/24',
  }),
});

const tls = z.object({
  SCS_NAMES: setting(Names, {
    about: "Names and addresses in the instance's own certificate, besides localhost and the machine's.",
    example: 'scs.example.org,192.0.2.10',
  }),
  SCS_TLS_CERT_FILE: setting(AbsolutePath, {
    about:
      'Certificate of the site, with its chain, in PEM; read again when it changes. Needs SCS_TLS_KEY_FILE.',
    example: '/etc/scs/tls/server.pem',
  }),
  SCS_TLS_KEY_FILE: setting(AbsolutePath, {
    about: 'Private key of SCS_TLS_CERT_FILE, in PEM.',
    example: '/etc/scs/tls/server.key',
  }),
  SCS_TLS_CA_FILE: setting(AbsolutePath, {
    about:
      'Certificate authorities in PEM that services trust when they call each other, besides the system’s.',
    example: '/etc/scs/tls/ca.pem',
  }),
});

const services = z.object({
  SCS_SERVICES: setting(ServiceList, {
    about: 'Which services run here.',
    example: SERVICES.join(','),
  }),
  ...perService(ADDRESSED, 'URL', (service) =>
    setting(BaseUrl, {
      about: `Where ${service} is, when it does not run here.`,
      example: `https://${service}.example.org`,
    }),
  ),
});

const data = z.object({
  SCS_DATABASE_URL: setting(DatabaseUrl, {
    about:
      'Documents: sqlite:<folder> (a folder per service inside it) or mongodb://… (a database per service; TLS and a password unless it is a private unix socket). Default: sqlite in SCS_HOME/data.',
    example: 'mongodb://scs:password@db.example.org/scs?tls=true',
    secret: true,
  }),
  ...perService(ADDRESSED, 'DATABASE_URL', (service) =>
    setting(DatabaseUrl, {
      about: `The database of ${service} alone, with a user of its own (scs db init makes it).`,
      example: `mongodb://scs_${service}:password@db.example.org/scs_${service}?tls=true`,
      secret: true,
    }),
  ),
  SCS_DATABASE_CA_FILE: setting(AbsolutePath, {
    about:
      'Certificate authorities in PEM by which MongoDB is trusted, instead of the public ones. An address that names a tlsCAFile keeps it.',
    example: '/etc/scs/tls/database-ca.pem',
  }),
  SCS_REDIS_URL: setting(RedisUrl, {
    about:
      'The queue of remote builds: rediss://…, or unix:/path?username=…&password=… on this machine. Default: a Redis of its own that scripts/up starts.',
    example: 'rediss://scs:password@redis.example.org:6380',
    secret: true,
  }),
  SCS_REDIS_CA_FILE: setting(AbsolutePath, {
    about: 'Certificate authorities in PEM by which Redis is trusted, instead of the public ones.',
    example: '/etc/scs/tls/redis-ca.pem',
  }),
  SCS_BLOBS_URL: setting(BlobsUrl, {
    about:
      'Image data: file:<folder>, or s3://<bucket>/<prefix> in an object store (with SCS_S3_…). Default: a folder in SCS_HOME/data.',
    example: 's3://images/scs',
  }),
  SCS_S3_ENDPOINT: setting(Endpoint, {
    about: 'Where the library reaches the object store, by https. Default: that of Amazon for the region.',
    example: 'https://minio.example.org:9000',
  }),
  SCS_S3_REGION: setting(Region, {
    about: 'The region of the bucket, as requests name it. Default: us-east-1.',
    example: 'eu-central-1',
  }),
  SCS_S3_ACCESS_KEY_ID: setting(S3Word, {
    about: 'The name of the key with which the bucket is listed, read, written and deleted in.',
    example: 'scs',
    secret: true,
  }),
  SCS_S3_SECRET_ACCESS_KEY: setting(S3Word, {
    about: 'The key itself.',
    example: 'password',
    secret: true,
  }),
  SCS_S3_CA_FILE: setting(AbsolutePath, {
    about: 'Certificate authorities in PEM by which the object store is trusted, instead of the public ones.',
    example: '/etc/scs/tls/s3-ca.pem',
  }),
  SCS_S3_PUBLIC_ENDPOINT: setting(Endpoint, {
    about:
      'Where clients reach the same object store. With it the bytes of an image come from there, by a signed address; without it they come through the library. By https.',
    example: 'https://s3.example.org',
  }),
});

const library = z.object({
  SCS_LIBRARY_SCRUB_RATE: setting(ByteRate, {
    about:
      'Bytes in a second, with K, M or G, at which the library reads its image data again in the background, once a week, and finds what the disk has changed; 0 = never. Default: 4M.',
    example: '20M',
  }),
  SCS_LIBRARY_ACCOUNT_QUOTA: setting(ByteSize, {
    about:
      'Bytes, with K, M, G or T, that an account may hold in the library over all entities, unless an administrator gives it a quota of its own; 0 = no limit. Default: 0.',
    example: '500G',
  }),
  SCS_LIBRARY_ENTITY_QUOTA: setting(ByteSize, {
    about: 'The quota, likewise, of entities that are made from now on; 0 = none. Default: 0.',
    example: '1T',
  }),
  SCS_LIBRARY_DEFAULT_PRIVATE: setting(YesNo, {
    about:
      'yes = what is made in a new entity is private unless its owner changes that. Entities that there are stay as they are. Default: no.',
    example: 'yes',
  }),
  SCS_WEBHOOK_NETWORKS: setting(Networks, {
    about:
      'Addresses and networks inside that webhooks may reach besides the internet, 127.0.0.1 (then by plain HTTP, too) among them. Every owner of an entity can then send requests there. Default: none.',
    example: '192.0.2.0/24',
  }),
  SCS_WEBHOOK_CA_FILE: setting(AbsolutePath, {
    about:
      'Certificate authorities in PEM by which receivers of webhooks are trusted, besides the public ones.',
    example: '/etc/scs/tls/webhook-ca.pem',
  }),
});

const builds = z.object({
  SCS_BUILD_NETWORK: setting(BuildNetwork, {
    about:
      'What %post of remote builds reaches: host = all that the machine of the worker reaches, its own ports included; none = nothing, and bases come from this instance’s library only.',
    example: 'none',
  }),
});

const keystore = z.object({
  SCS_KEYSTORE_READS: setting(KeystoreReads, {
    about:
      'Who may look keys up: everybody, or who has a token. gpg cannot show one and finds nothing with the latter.',
    example: 'everybody',
  }),
  SCS_KEYSTORE_ANONYMOUS: setting(KeystoreAnonymous, {
    about:
      'What is taken without a token, as gpg sends it: nothing; revocations of keys that are stored; updates = any change that the key itself has signed, of keys that are stored.',
    example: 'nothing',
  }),
  SCS_KEYSTORE_NETWORKS: setting(Networks, {
    about: 'Addresses and networks from which every key is taken without a token. Default: none.',
    example: '192.0.2.0/24',
  }),
  SCS_KEYSTORE_ADDS: setting(Rate, {
    about: 'Uploads of keys in an hour, for each account, and for each address without a token.',
    example: '60',
  }),
  SCS_KEYSTORE_SEARCHES: setting(Rate, {
    about: 'Searches in a second from one address; further ones are refused (429).',
    example: '10',
  }),
  SCS_KEYSTORE_GETS: setting(Rate, {
    about:
      'Keys that one address may fetch in a second, after the first ones of five seconds; further ones are slowed down, never refused.',
    example: '200',
  }),
  SCS_WKD_DOMAINS: setting(Domains, {
    about:
      'Domains of e-mail addresses whose keys are served as a Web Key Directory, where an account with that address brought them. Default: none.',
    example: 'example.org',
  }),
});

const observation = z.object({
  SCS_LOG_LEVEL: setting(LogLevel, {
    about: 'Least severe line that is logged: trace, debug, info, warn, error, fatal.',
    example: 'info',
  }),
  SCS_METRICS_PORT: setting(Port, {
    about:
      'A port of its own for Prometheus, which finds the numbers of this process at /metrics there. Off by default.',
    example: '9464',
  }),
  SCS_METRICS_HOST: setting(Host, {
    about:
      'Address of SCS_METRICS_PORT. Whoever reaches it reads the numbers, without a token. Default: 127.0.0.1, this machine alone.',
    example: '192.0.2.10',
  }),
});

/** Every setting, group by group, in the order of `.env.example`. */
export const GROUPS = {
  'The instance': instance,
  Certificates: tls,
  'One process or several': services,
  Data: data,
  Library: library,
  Keystore: keystore,
  'Remote builds': builds,
  Observation: observation,
} as const;

/** All groups as one schema: names → parsed values. */
export const Settings = z.object({
  ...instance.shape,
  ...tls.shape,
  ...services.shape,
  ...data.shape,
  ...library.shape,
  ...keystore.shape,
  ...builds.shape,
  ...observation.shape,
});
export type Settings = z.infer<typeof Settings>;
export type SettingName = keyof Settings;
