import { isIP } from 'node:net';
import { z } from 'zod';
import { readS3Url, S3_URL_FORM } from '#libs/core';
import { parseMongoUrl } from './mongo-url.js';
import { SERVICES, type Service } from './services.js';

/** Parsers of single settings. Each says what it expected; `loadConfig` adds the name and what it got. */

const refuse = (context: z.RefinementCtx, expectedWhat: string): never => {
  context.addIssue({ code: 'custom', message: expectedWhat });
  return z.NEVER;
};

/** A TCP port to listen on. */
export const Port = z.string().transform((text, context) => {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  return port >= 1 && port <= 65_535 ? port : refuse(context, 'a port from 1 to 65535');
});

/** `yes` or `no`. */
export const YesNo = z.string().transform((text, context) => {
  if (text === 'yes') return true;
  if (text === 'no') return false;
  return refuse(context, 'yes or no');
});

/** An absolute path; a relative one is refused because the working directory of a service is nobody's choice. */
export const AbsolutePath = z.string().refine((text) => text.startsWith('/') && !text.includes('\0'), {
  error: 'an absolute path',
});

/** A host name: labels of letters, digits and hyphens. */
const isHostName = (text: string): boolean =>
  text.length <= 253 &&
  /^(?!-)[a-z0-9-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9-]{1,63}(?<!-))*$/i.test(text) &&
  !/^[\d.]+$/.test(text);

/** An address to listen on, or a name that resolves to one. */
export const Host = z.string().refine((text) => isIP(text) !== 0 || isHostName(text), {
  error: 'an IP address or a host name',
});

/** Comma-separated names and IP addresses for a certificate; wildcards are not made. */
export const Names = z.string().transform((text, context) => {
  const names = splitList(text);
  return names.every((name) => isIP(name) !== 0 || isHostName(name))
    ? names
    : refuse(context, 'a comma-separated list of host names and IP addresses');
});

/** Comma-separated IP addresses and networks such as `10.0.0.0/8`. */
export const Networks = z.string().transform((text, context) => {
  const networks = splitList(text);
  return networks.every(isNetwork)
    ? networks
    : refuse(context, 'a comma-separated list of IP addresses and networks such as 10.0.0.0/8');
});

function isNetwork(text: string): boolean {
  const [, address = '', prefix] = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const version = isIP(address);
  // Everybody is no proxy: whoever could name any address would never be locked out.
  return (
    version !== 0 &&
    (prefix === undefined || (Number(prefix) >= 1 && Number(prefix) <= (version === 4 ? 32 : 128)))
  );
}

/**
 * A base URL that paths are appended to, without a slash at its end: clients append `/version`, and a double slash
 * would result (library contract §1 rule 4).
 */
export const BaseUrl = z.string().transform((text, context) => {
  const what = 'an http or https URL without credentials, query and fragment';
  const url = parseUrl(text);
  if (url === undefined || !/^https?:$/.test(url.protocol)) return refuse(context, what);
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '')
    return refuse(context, what);
  return `${url.origin}${url.pathname}`.replace(/\/+$/, '');
});

/** Which services run in this process. */
export const ServiceList = z.string().transform((text, context): readonly Service[] => {
  const names = splitList(text);
  const unknown = names.filter((name) => !(SERVICES as readonly string[]).includes(name));
  if (unknown.length > 0 || names.length === 0)
    return refuse(context, `a comma-separated list out of ${SERVICES.join(', ')}`);
  return SERVICES.filter((name) => names.includes(name));
});

/** Where documents are kept: one SQLite file per service in a folder, or a MongoDB server. */
export const DatabaseUrl = z.string().refine(
  (text) => {
    if (text.startsWith('sqlite:')) return text.startsWith('sqlite:/');
    const url = parseMongoUrl(text);
    return url !== undefined && isDecodable(url.database) && isDecodable(url.credentials ?? '');
  },
  { error: 'sqlite:<absolute folder> or mongodb://… (with % written as %25)' },
);

/** The queue server: a unix socket (`unix:/path?username=…&password=…`) or a URL. */
export const RedisUrl = z.string().refine(
  (text) => {
    const url = parseUrl(text);
    if (url === undefined || ![url.pathname, url.username, url.password].every(isDecodable)) return false;
    if (url.protocol === 'unix:') return url.pathname.startsWith('/') && url.pathname.length > 1;
    return /^rediss?:$/.test(url.protocol) && url.hostname !== '';
  },
  { error: 'unix:/path/to/socket, redis://… or rediss://… (with % written as %25)' },
);

/** Where image data is kept: a folder, or a bucket of an object store. */
export const BlobsUrl = z
  .string()
  .refine(
    (text) => (text.startsWith('file:/') && !text.startsWith('file://')) || readS3Url(text) !== undefined,
    { error: `file:<absolute folder>, or ${S3_URL_FORM}` },
  );

/** A server that speaks S3: its buckets are below it. */
export const Endpoint = BaseUrl.refine((url) => new URL(url).origin === url, {
  error: 'an http or https URL without path, credentials, query and fragment',
});

/** What a key of S3 consists of: anything that can be in a header. */
export const S3Word = z.string().refine((text) => /^[\x21-\x7e]{1,256}$/.test(text), {
  error: 'letters, digits and signs without spaces',
});

/** The name of a region. */
export const Region = z.string().refine((text) => /^[a-z0-9-]{1,64}$/.test(text), {
  error: 'lower-case letters, digits and hyphens',
});

export const LogLevel = z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal'], {
  error: 'trace, debug, info, warn, error or fatal',
});

/** What scripts of remote builds reach. */
export const BuildNetwork = z.enum(['host', 'none'], { error: 'host or none' });
export type BuildNetwork = z.infer<typeof BuildNetwork>;

/** Who may read from the keystore. */
export const KeystoreReads = z.enum(['everybody', 'token'], { error: 'everybody or token' });
export type KeystoreReads = z.infer<typeof KeystoreReads>;

/** What the keystore takes from people without a token. */
export const KeystoreAnonymous = z.enum(['nothing', 'revocations', 'updates'], {
  error: 'nothing, revocations or updates',
});
export type KeystoreAnonymous = z.infer<typeof KeystoreAnonymous>;

/** How often something may be done. */
export const Rate = z.string().transform((text, context) => {
  const rate = /^\d{1,7}$/.test(text) ? Number(text) : 0;
  return rate >= 1 && rate <= 1_000_000 ? rate : refuse(context, 'a number from 1 to 1000000');
});

const UNITS = { '': 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3, T: 1024 ** 4 } as const;

/** Bytes in a second, with K, M or G (binary) behind it; 0 = off. */
export const ByteRate = z.string().transform((text, context) => {
  const [, digits, unit] = /^(\d{1,12})([KMG]?)$/.exec(text) ?? [];
  const rate = Number(digits) * UNITS[(unit ?? '') as keyof typeof UNITS];
  return Number.isSafeInteger(rate)
    ? rate
    : refuse(context, 'bytes in a second, as a number that may have K, M or G behind it,');
});

/** Bytes, with K, M, G or T (binary) behind it. */
export const ByteSize = z.string().transform((text, context) => {
  const [, digits, unit] = /^(\d{1,15})([KMGT]?)$/.exec(text) ?? [];
  const size = Number(digits) * UNITS[(unit ?? '') as keyof typeof UNITS];
  return Number.isSafeInteger(size)
    ? size
    : refuse(context, 'bytes, as a number that may have K, M, G or T behind it,');
});

/** Comma-separated domains of e-mail addresses, lower case. */
export const Domains = z.string().transform((text, context) => {
  const domains = splitList(text.toLowerCase());
  return domains.every((domain) => isHostName(domain) && domain.includes('.'))
    ? domains
    : refuse(context, 'a comma-separated list of domains such as example.org');
});

/** The parsed URL, or undefined where `text` is none. */
export function parseUrl(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined;
}

/** Whether a part of a URL is percent-encoded: a password with a bare % is not, and people write such ones. */
function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

function splitList(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}
