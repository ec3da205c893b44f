import { getCACertificates } from 'node:tls';
import { Agent, EnvHttpProxyAgent, type Dispatcher } from 'undici';
import { CLIENT_LIMITS } from './limits.js';

/** Proxies as the environment names them; the caller reads the environment. */
export interface Proxies {
  /** For `http:` addresses. */
  readonly http?: string;
  /** For `https:` addresses. */
  readonly https?: string;
  /** Hosts that are reached directly, comma separated. */
  readonly none?: string;
}

export interface ConnectionOptions {
  /** PEM certificates that the server's own origin is trusted by; the system's store when absent. */
  readonly ca?: string;
  readonly proxies?: Proxies;
}

/** Hosts that are never asked through a proxy, as in Go's clients. */
const LOOPBACK = 'localhost,127.0.0.1,::1';

/**
 * Connections to one server and to wherever it redirects. The server's own certificate authority is all that its own
 * origin is trusted by; other hosts are trusted by the system's store and by that authority.
 */
export class Connections {
  readonly #origin: string;
  readonly #options: ConnectionOptions;
  #own: Dispatcher | undefined;
  #others: Dispatcher | undefined;

  constructor(origin: string, options: ConnectionOptions) {
    this.#origin = origin;
    this.#options = options;
  }

  /** The dispatcher for an address. */
  to(url: URL): Dispatcher {
    if (url.origin === this.#origin) return (this.#own ??= this.#make(this.#options.ca));
    return (this.#others ??= this.#make(undefined));
  }

  async close(): Promise<void> {
    await Promise.all([this.#own?.destroy(), this.#others?.destroy()]);
  }

  #make(ca: string | undefined): Dispatcher {
    const trusted = ca ?? [
      ...systemCertificates(),
      ...(this.#options.ca === undefined ? [] : [this.#options.ca]),
    ];
    const options = {
      connect: { ca: trusted, timeout: CLIENT_LIMITS.connect },
      headersTimeout: CLIENT_LIMITS.idle,
      bodyTimeout: CLIENT_LIMITS.idle,
      allowH2: false,
    };
    const { proxies } = this.#options;
    if (proxies?.http === undefined && proxies?.https === undefined) return new Agent(options);
    return new EnvHttpProxyAgent({
      ...options,
      requestTls: options.connect,
      proxyTls: { ca: systemCertificates() },
      httpProxy: proxies.http ?? '',
      httpsProxy: proxies.https ?? '',
      noProxy: proxies.none === undefined ? LOOPBACK : `${proxies.none},${LOOPBACK}`,
    });
  }
}

/**
 * What the machine trusts: its own store (also `SSL_CERT_FILE`), where a site installs its authority; else what Node
 * brings along.
 */
export function systemCertificates(): string[] {
  const system = getCACertificates('system');
  return system.length > 0 ? system : getCACertificates('bundled');
}
