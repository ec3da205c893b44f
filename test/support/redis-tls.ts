import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestCertificate } from './certificates.js';
import { startServer } from './child.js';
import { freePort } from './ports.js';
import { temporaryFolder } from './temporary.js';

/** Users of the server, each with what it may do; all have the same password. */
const USERS = {
  scs: '~scs:* &* +@all -@dangerous +info +client|setname +client|list',
  'other-keys': '~other:* &* +@all -@dangerous +info +client|setname +client|list',
  'no-scripts': '~scs:* &* +@all -@dangerous -@scripting +info +client|setname +client|list',
  'no-info': '~scs:* &* +@all -@dangerous +client|setname +client|list',
  'no-channels': '~scs:* resetchannels +@all -@dangerous +info +client|setname +client|list',
  'reads-only': '~scs:* &* +@read +@connection +info +client|setname',
} as const;

export interface RedisOnTls {
  readonly port: number;
  readonly password: string;
  /** For SCS_REDIS_URL, without a file of authorities. */
  url(options?: { readonly user?: keyof typeof USERS; readonly password?: string }): string;
  stop(): Promise<void>;
}

/** A Redis as a site has it: on a port of this machine, with TLS and users, and nothing without them. */
export async function startRedisOnTls(
  { cert, key }: TestCertificate,
  { wantsCertificate = false }: { readonly wantsCertificate?: boolean } = {},
): Promise<RedisOnTls> {
  const folder = await temporaryFolder();
  const path = (name: string): string => join(folder.path, name);
  const password = randomBytes(12).toString('hex');
  await writeFile(path('cert.pem'), cert);
  await writeFile(path('key.pem'), key, { mode: 0o600 });
  const lines = Object.entries(USERS).map(([name, rights]) => `user ${name} on >${password} ${rights}`);
  await writeFile(path('users.acl'), ['user default off', ...lines, ''].join('\n'), { mode: 0o600 });
  const port = await freePort();
  const options = {
    port: '0',
    bind: '127.0.0.1',
    'tls-port': String(port),
    'tls-cert-file': path('cert.pem'),
    'tls-key-file': path('key.pem'),
    'tls-ca-cert-file': path('cert.pem'),
    'tls-auth-clients': wantsCertificate ? 'yes' : 'no',
    aclfile: path('users.acl'),
    dir: folder.path,
    save: '',
    'maxmemory-policy': 'noeviction',
  };
  const server = await startServer({
    command: 'redis-server',
    args: Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]),
    door: { host: '127.0.0.1', port },
  });
  return {
    port,
    password,
    url: ({ user = 'scs', password: secret = password } = {}) =>
      `rediss://${user}:${secret}@localhost:${port}`,
    stop: async () => {
      await server.stop();
      await folder.remove();
    },
  };
}
