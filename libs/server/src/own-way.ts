import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { checkServerIdentity, createSecureContext, getCACertificates } from 'node:tls';
import { buildConnector } from 'undici';
import type { ScsConfig } from '#libs/config';
import { stampOf } from './tls/files.js';
import { OLDEST_TLS } from './tls/floor.js';
import { hostOf } from './tls/names.js';

const CONNECT_TIME = 5_000;

/**
 * How services connect to each other: trusting the instance's authority, the site's and the system's; and for the own public
 * URL straight to the own port, whatever proxy stands in front of it. There the certificate that this process shows is trusted
 * itself, and has to be good for the public name.
 * Authorities are read again when their files change, as certificates are: a site that renews both needs no restart.
 * @param shown the certificate that the own port shows now, in PEM; undefined for plain HTTP
 */
export function ownWay(
  config: ScsConfig,
  shown: () => string | undefined = () => undefined,
): buildConnector.connector {
  const own = new URL(config.publicUrl);
  const publicHost = hostOf(config.publicUrl);
  const { caFile, extraCaFile } = config.tls;
  const files = [...new Set([caFile, extraCaFile].filter((file) => file !== undefined))];
  // The system's authorities are many: they are read when the first foreign address is called.
  const toOthers = following(
    () => stampOf(files),
    () => ({ ca: [...everybodys(), ...files.map((file) => readFileSync(file, 'utf8'))] }),
  );
  const toMyself = following(
    () => shown() ?? '',
    () => ({
      ca: [shown() ?? ''],
      allowPartialTrustChain: true,
      checkServerIdentity: (_host, certificate) => checkServerIdentity(publicHost, certificate),
    }),
  );
  return (options, callback) => {
    const port = options.port === '' ? defaultPort(options.protocol) : options.port;
    const mine = options.hostname === own.hostname && port === (own.port || defaultPort(own.protocol));
    if (!mine) return toOthers(options, callback);
    const { servername: _other, ...rest } = options;
    return toMyself(
      {
        ...rest,
        // RFC 6066 §3: literal addresses are not permitted as a server name.
        ...(isIP(publicHost) === 0 ? { servername: publicHost } : {}),
        protocol: config.insecureHttp ? 'http:' : 'https:',
        host: `${config.ownAddress}:${config.port}`,
        hostname: config.ownAddress,
        port: String(config.port),
      },
      callback,
    );
  };
}

interface Trust {
  readonly ca: readonly string[];
  /** Any certificate of `ca` will do, not only one that signed itself. */
  readonly allowPartialTrustChain?: boolean;
  readonly checkServerIdentity?: typeof checkServerIdentity;
}

/** A connector that is made again when what `stamp` says has changed; the one of before stays where that fails. */
function following(stamp: () => string, trust: () => Trust): buildConnector.connector {
  let seen: string | undefined;
  let current: buildConnector.connector | undefined;
  return (options, callback) => {
    const now = stamp();
    try {
      if (current === undefined || seen !== now) {
        const { ca, allowPartialTrustChain, ...rest } = trust();
        const secureContext = createSecureContext({
          ca: [...ca],
          allowPartialTrustChain,
          minVersion: OLDEST_TLS,
        });
        current = buildConnector({ ...rest, secureContext, timeout: CONNECT_TIME });
        seen = now;
      }
    } catch (error) {
      if (current === undefined) return callback(error as Error, null);
    }
    return current(options, callback);
  };
}

/** Authorities that Node brings along, and those of the machine, where a site installs its own. */
function everybodys(): string[] {
  return [...getCACertificates('bundled'), ...getCACertificates('system')];
}

function defaultPort(protocol: string): string {
  return protocol === 'https:' ? '443' : '80';
}
