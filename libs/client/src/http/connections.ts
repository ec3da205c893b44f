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
  /**
   * PEM certificates that the server's own origin is trusted by, and nobody else; everybody's authorities when absent. The
   * certificate of the server itself will do: who names it trusts it.
   */
  readonly ca?: string;
  /** PEM certificates of authorities that are trusted besides everybody's. */
  readonly alsoTrusts?: string;
  /** The server's own origin is believed whatever certificate it has: only when a person asked for that. */
  readonly unverified?: boolean;
  readonly proxies?: Proxies;
}

/** Hosts that are never asked through a proxy, as in Go's clients. */
const LOOPBACK = 'localhost,127.0.0.1,::1';

/**
 * Connections to one server and to wherever it redirects. The server's own certificate authority is all that its own
 * origin is trusted by; other hosts are trusted by public authorities and by that one.
 */
export class Connections {
  readonly #origin: string;
  readonly #options: ConnectionOptions;
  #own: Dispatcher | undefined;
  #others: Dispatcher | undefined;
  #system: string[] | undefined;

  constructor(origin: string, options: ConnectionOptions) {
    this.#origin = origin;
    this.#options = options;
  }

  /** The dispatcher for an address. */
  to(url: URL): Dispatcher {
    if (url.origin === this.#origin)
      return (this.#own ??= this.#make(this.#options.ca, this.#options.unverified === true));
    return (this.#others ??= this.#make(this.#options.ca === undefined ? undefined : this.#everybody()));
  }

  /**
   * Trusts the machine's own store besides the authorities that Node brings along, and says whether that is news. Reading
   * the store takes a tenth of a second, so it is done when a certificate was not trusted, and not before.
   */
  async trustSystem(): Promise<boolean> {
    if (this.#system !== undefined || this.#options.ca !== undefined) return false;
    this.#system = systemCertificates();
    await this.close();
    return true;
  }

  /** Authorities for a connection to the own origin that is made elsewhere; undefined: those that Node brings along. */
  authorities(): string | string[] | undefined {
    return this.#options.ca ?? this.#more();
  }

  async close(): Promise<void> {
    const open = [this.#own, this.#others];
    this.#own = undefined;
    this.#others = undefined;
    for (const dispatcher of open) await dispatcher?.destroy();
  }

  /** Authorities besides those that Node brings along, with them; undefined where there are none. */
  #more(): string[] | undefined {
    const known = this.#system !== undefined || this.#options.alsoTrusts !== undefined;
    return known ? this.#everybody() : undefined;
  }

  #everybody(): string[] {
    const { ca, alsoTrusts } = this.#options;
    const system = this.#system ?? (ca === undefined ? [] : systemCertificates());
    const own = [ca, alsoTrusts].filter((text) => text !== undefined);
    return [...getCACertificates('bundled'), ...system, ...own];
  }

  #make(ca: string | string[] | undefined, unverified = false): Dispatcher {
    const trusted = ca ?? this.#more();
    const options = {
      connect: {
        timeout: CLIENT_LIMITS.connect,
        ...(trusted === undefined ? {} : { ca: trusted, allowPartialTrustChain: true }),
        ...(unverified ? { rejectUnauthorized: false } : {}),
      },
      headersTimeout: CLIENT_LIMITS.idle,
      bodyTimeout: CLIENT_LIMITS.idle,
      allowH2: false,
    };
    const { proxies } = this.#options;
    if (proxies?.http === undefined && proxies?.https === undefined) return new Agent(options);
    return new EnvHttpProxyAgent({
      ...options,
      requestTls: options.connect,
      httpProxy: proxies.http ?? '',
      httpsProxy: proxies.https ?? '',
      noProxy: proxies.none === undefined ? LOOPBACK : `${proxies.none},${LOOPBACK}`,
    });
  }
}

/** The machine's own store (also `SSL_CERT_FILE`), where a site installs its authority. */
export function systemCertificates(): string[] {
  return getCACertificates('system');
}
