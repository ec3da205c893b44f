import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Server } from 'node:https';
import { createSecureContext } from 'node:tls';
import type { ScsConfig } from '#libs/config';
import { DomainError, expected, messageOf, systemCode, type Clock } from '#libs/core';
import type { Logger } from '../log.js';
import { Authority, replaceFile } from './authority.js';
import { certificateNames } from './names.js';

/** What a TLS server needs, in PEM. */
export interface ServerCertificate {
  readonly cert: string;
  readonly key: string;
}

const DAY = 24 * 60 * 60 * 1000;
const RENEW_BEFORE = 30 * DAY;
/** How often certificate files of the site are looked at, and own ones checked for renewal. */
const SITE_INTERVAL = 5_000;
const OWN_INTERVAL = DAY / 2;

/**
 * The certificate of this process: the site's files, or one of the instance's own authority, made and renewed here.
 * @throws DomainError one sentence for a missing, unreadable, mismatched or expired certificate
 */
export class Certificates {
  readonly #config: ScsConfig;
  readonly #clock: Clock;
  readonly #log: Logger;
  #current: ServerCertificate;
  #seen: string;
  #timer: NodeJS.Timeout | undefined;

  private constructor(config: ScsConfig, clock: Clock, log: Logger, current: ServerCertificate) {
    this.#config = config;
    this.#clock = clock;
    this.#log = log;
    this.#current = current;
    this.#seen = this.#fingerprint();
  }

  static async open(config: ScsConfig, clock: Clock, log: Logger): Promise<Certificates> {
    return new Certificates(config, clock, log, await obtain(config, clock));
  }

  get current(): ServerCertificate {
    return this.#current;
  }

  /** From now on `server` gets every new certificate while it runs. Connections that are open keep theirs. */
  follow(server: Server, interval = this.#config.tls.mode === 'site' ? SITE_INTERVAL : OWN_INTERVAL): void {
    this.#timer = setInterval(() => void this.refresh(server), interval).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Looks whether there is a new certificate and hands it to `server`. A bad one is logged and the old one stays. */
  async refresh(server: Server): Promise<void> {
    const seen = this.#fingerprint();
    if (this.#config.tls.mode === 'site' && seen === this.#seen) return;
    try {
      const next = await obtain(this.#config, this.#clock);
      if (next.cert !== this.#current.cert) {
        server.setSecureContext(next);
        this.#current = next;
        this.#log.info('The TLS certificate was replaced');
      }
      this.#seen = seen;
    } catch (error) {
      this.#log.error(`The TLS certificate was not replaced: ${messageOf(error)}`);
    }
  }

  /** Changes when one of the files was written or replaced. */
  #fingerprint(): string {
    const { certFile, keyFile } = this.#config.tls;
    return [certFile, keyFile].map(stamp).join('|');
  }
}

function stamp(file: string): string {
  const found = statSync(file, { throwIfNoEntry: false });
  return found === undefined ? 'none' : `${found.ino}:${found.size}:${found.mtimeMs}:${found.ctimeMs}`;
}

async function obtain(config: ScsConfig, clock: Clock): Promise<ServerCertificate> {
  return config.tls.mode === 'site' ? siteCertificate(config, clock) : await ownCertificate(config, clock);
}

function siteCertificate(config: ScsConfig, clock: Clock): ServerCertificate {
  const cert = readSetting('SCS_TLS_CERT_FILE', config.tls.certFile);
  const key = readSetting('SCS_TLS_KEY_FILE', config.tls.keyFile);
  const leaf = parseSetting(
    'a certificate in PEM',
    'SCS_TLS_CERT_FILE',
    config.tls.certFile,
    () => new X509Certificate(cert),
  );
  const privateKey = parseSetting('a private key in PEM', 'SCS_TLS_KEY_FILE', config.tls.keyFile, () =>
    createPrivateKey(key),
  );
  if (!leaf.checkPrivateKey(privateKey))
    throw new DomainError(
      'unprocessable',
      `Expected the private key of the certificate in SCS_TLS_CERT_FILE, got another one in ${config.tls.keyFile}`,
      { reason: 'certificate_mismatch' },
    );
  checkDates(leaf, config.tls.certFile, clock);
  parseSetting('a usable certificate', 'SCS_TLS_CERT_FILE', config.tls.certFile, () =>
    createSecureContext({ cert, key }),
  );
  return { cert, key };
}

/**
 * Looks at SCS_TLS_CA_FILE at the start: it is needed later, when the first call to another service is made.
 * @throws DomainError one sentence when it cannot be read or holds no certificate
 */
export function checkAuthorities({ tls: { extraCaFile } }: ScsConfig): void {
  if (extraCaFile === undefined) return;
  const text = readSetting('SCS_TLS_CA_FILE', extraCaFile);
  parseSetting(
    'certificates in PEM',
    'SCS_TLS_CA_FILE',
    extraCaFile,
    // Throws also for no certificate at all; the context looks at every one.
    () => [new X509Certificate(text), createSecureContext({ ca: text })],
  );
}

function checkDates(leaf: X509Certificate, file: string, clock: Clock): void {
  const day = (date: Date): string => date.toISOString().slice(0, 10);
  if (leaf.validToDate <= clock.now())
    throw new DomainError(
      'unprocessable',
      `The certificate in SCS_TLS_CERT_FILE (${file}) expired on ${day(leaf.validToDate)}`,
      {
        reason: 'certificate_expired',
        remedy: 'Put a valid certificate there.',
      },
    );
  if (leaf.validFromDate > clock.now())
    throw new DomainError(
      'unprocessable',
      `The certificate in SCS_TLS_CERT_FILE (${file}) is not valid before ${day(leaf.validFromDate)}`,
      {
        reason: 'certificate_not_yet_valid',
        remedy: 'Put a valid certificate there, or set the clock of this machine.',
      },
    );
}

async function ownCertificate(config: ScsConfig, clock: Clock): Promise<ServerCertificate> {
  const authority = await Authority.open(dirname(config.tls.certFile), clock);
  const names = certificateNames(config);
  const existing = readOwn(config.tls.certFile);
  if (existing !== undefined && stillGood(existing, authority.certificate, names, clock))
    return { cert: existing, key: existing };
  const fresh = await authority.issue(names);
  replaceFile(config.tls.certFile, fresh, 0o600);
  return { cert: fresh, key: fresh };
}

function stillGood(pem: string, authority: string, names: readonly string[], clock: Clock): boolean {
  try {
    const leaf = new X509Certificate(pem);
    const issued = leaf.verify(new X509Certificate(authority).publicKey);
    const fresh = leaf.validToDate.getTime() - clock.now().getTime() > RENEW_BEFORE;
    return issued && fresh && leaf.checkPrivateKey(createPrivateKey(pem)) && sameNames(leaf, names);
  } catch {
    return false;
  }
}

function sameNames(leaf: X509Certificate, names: readonly string[]): boolean {
  const count = (leaf.subjectAltName ?? '').split(', ').length;
  return (
    count === names.length &&
    names.every(
      (name) => leaf.checkHost(name, { wildcards: false }) !== undefined || leaf.checkIP(name) !== undefined,
    )
  );
}

function readOwn(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function readSetting(name: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new DomainError(
      'unprocessable',
      `${expected('a file that can be read', name, file)} (${systemCode(error) ?? 'unreadable'})`,
      { cause: error },
    );
  }
}

function parseSetting<T>(what: string, name: string, file: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new DomainError('unprocessable', expected(what, name, file), { cause: error });
  }
}
