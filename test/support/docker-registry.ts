import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ServerProcess, startServer } from './child.js';
import { freePort } from './ports.js';

/** Who may enter by name and password: `ann`, `se:cret`. The hash is bcrypt, which is all that this registry takes. */
export const ANN = { username: 'ann', password: 'se:cret' } as const;
const HTPASSWD = 'ann:$2y$05$4qv6s12xDCcz1u8Z0UK39ukjJtnUCKMmLLhVu.ow59EeT.7ggSmni\n';

export interface RegistryOptions {
  /** A folder of its own. */
  readonly folder: string;
  readonly tls?: { readonly cert: string; readonly key: string };
  readonly auth?:
    | 'htpasswd'
    | { readonly realm: string; readonly service: string; readonly issuer: string; readonly cert: string };
}

/** Debian's docker-registry, the stock one. */
export class DockerRegistry {
  /** `localhost:<port>` */
  readonly host: string;
  readonly port: number;
  readonly #server: ServerProcess;

  private constructor(port: number, server: ServerProcess) {
    this.port = port;
    this.host = `localhost:${port}`;
    this.#server = server;
  }

  static async start({ folder, tls, auth }: RegistryOptions): Promise<DockerRegistry> {
    await mkdir(folder, { recursive: true });
    const file = async (name: string, text: string) => {
      await writeFile(join(folder, name), text, { mode: 0o600 });
      return join(folder, name);
    };
    const port = await freePort();
    const config = {
      version: '0.1',
      log: { level: 'error', accesslog: { disabled: true } },
      storage: { filesystem: { rootdirectory: join(folder, 'data') } },
      http: {
        addr: `127.0.0.1:${port}`,
        ...(tls === undefined
          ? {}
          : { tls: { certificate: await file('tls.crt', tls.cert), key: await file('tls.key', tls.key) } }),
      },
      ...(auth === undefined
        ? {}
        : {
            auth:
              auth === 'htpasswd'
                ? { htpasswd: { realm: 'test', path: await file('htpasswd', HTPASSWD) } }
                : {
                    token: {
                      realm: auth.realm,
                      service: auth.service,
                      issuer: auth.issuer,
                      rootcertbundle: await file('tokens.crt', auth.cert),
                    },
                  },
          }),
    };
    const server = await startServer({
      command: 'docker-registry',
      // JSON is YAML.
      args: ['serve', await file('config.yml', JSON.stringify(config))],
      door: { host: '127.0.0.1', port },
    });
    return new DockerRegistry(port, server);
  }

  async stop(): Promise<void> {
    await this.#server.stop();
  }
}
