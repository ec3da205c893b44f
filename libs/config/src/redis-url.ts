import type { RedisSettings } from './config.js';
import { Secret } from './secret.js';
import type { Settings } from './settings.js';
import { parseUrl } from './values.js';

/** The address of the queue, with the authority of SCS_REDIS_CA_FILE where it names none and needs one. */
export function redisAddress({
  SCS_REDIS_URL: text,
  SCS_REDIS_CA_FILE: caFile,
}: Partial<Settings>): string | undefined {
  const url = text === undefined || caFile === undefined ? undefined : parseUrl(text);
  if (url?.protocol !== 'rediss:' || caFile === undefined || url.searchParams.has('tlsCAFile')) return text;
  url.searchParams.set('tlsCAFile', caFile);
  return url.href;
}

/** The parts of an address that was checked. */
export function redisOf(text: string | undefined): RedisSettings | undefined {
  const url = text === undefined ? undefined : parseUrl(text);
  if (url === undefined) return undefined;
  if (url.protocol === 'unix:')
    return {
      kind: 'unix',
      path: decodeURIComponent(url.pathname),
      username: url.searchParams.get('username') ?? '',
      password: new Secret(url.searchParams.get('password') ?? ''),
    };
  return {
    kind: 'tcp',
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? 6379 : Number(url.port),
    tls: url.protocol === 'rediss:',
    username: decodeURIComponent(url.username),
    password: new Secret(decodeURIComponent(url.password)),
    database: Number(/^\/(\d{1,3})$/.exec(url.pathname)?.[1] ?? 0),
  };
}
