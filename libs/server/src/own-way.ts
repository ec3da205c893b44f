import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { checkServerIdentity, createSecureContext, rootCertificates, type SecureContext } from 'node:tls';
import { buildConnector } from 'undici';
import type { ScsConfig } from '#libs/config';

const CONNECT_TIME = 5_000;

/**
 * How services connect to each other: trusting the instance's authority, the site's and the system's; and for the own public
 * URL straight to the own port, whatever proxy stands in front of it. The certificate has to be good for the public name there too.
 */
export function ownWay(config: ScsConfig): buildConnector.connector {
  const own = new URL(config.publicUrl);
  const publicHost = own.hostname.replace(/^\[|\]$/g, '');
  const { caFile, extraCaFile } = config.tls;
  // The system's authorities are many: their context is made when the first foreign address is called.
  let foreign: buildConnector.connector | undefined;
  const toOthers = (): buildConnector.connector =>
    (foreign ??= buildConnector({
      secureContext: contextOf(rootCertificates, caFile, extraCaFile),
      timeout: CONNECT_TIME,
    }));
  let short: buildConnector.connector | undefined;
  const toMyself = (): buildConnector.connector =>
    (short ??= buildConnector({
      secureContext: caFile === undefined ? contextOf(rootCertificates) : contextOf([], caFile, extraCaFile),
      checkServerIdentity: (_host, certificate) => checkServerIdentity(publicHost, certificate),
      timeout: CONNECT_TIME,
    }));
  return (options, callback) => {
    const port = options.port === '' ? defaultPort(options.protocol) : options.port;
    const mine = options.hostname === own.hostname && port === (own.port || defaultPort(own.protocol));
    if (!mine) return toOthers()(options, callback);
    const { servername: _other, ...rest } = options;
    return toMyself()(
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

/** A context that trusts these authorities, given as PEM texts and as files. */
function contextOf(texts: readonly string[], ...files: readonly (string | undefined)[]): SecureContext {
  const named = new Set(files.filter((file) => file !== undefined));
  return createSecureContext({ ca: [...texts, ...[...named].map((file) => readFileSync(file, 'utf8'))] });
}

function defaultPort(protocol: string): string {
  return protocol === 'https:' ? '443' : '80';
}
