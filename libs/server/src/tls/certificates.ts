import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Server } from 'node:https';
import { isIP } from 'node:net';
import { createSecureContext } from 'node:tls';
import type { ScsConfig } from '#libs/config';
import { DomainError, expected, messageOf, systemCode, type Clock } from '#libs/core';
import type { Logger } from '../log.js';
import { Authority, replaceFile } from './authority.js';
import { stampOf } from './files.js';
import { OLDEST_TLS } from './floor.js';
import { certificateNames, hostOf } from './names.js';

/** What a TLS server needs, in PEM, and the oldest version that it speaks: a new certificate must not bring another one. */
export interface ServerCertificate {
  readonly cert: string;
  readonly key: string;
  readonly minVersion: typeof OLDEST_TLS;
}

const DAY = 24 * 60 * 60 * 1000;
const RENEW_BEFORE = 30 * DAY;
/** How often certificate files of the site are looked at, and own ones checked for renewal. */
const SITE_INTERVAL = 5_000;
const OWN_INTERVAL = DAY / 2;
/** What the operator has to renew is reminded of once a day, from this time on before its end. */
const REMIND_BEFORE = 14 * DAY;
/** Files that are being replaced are read again this often at once; then at the next look. */
const MOST_READINGS = 5;

/**
 * The certificate of this process: the site's files, or one of the instance's own authority, made and renewed here.
 * @throws DomainError one sentence for a missing, unreadable, mismatched or expired certificate, or one of another name
 */
export class Certificates {
  readonly #config: ScsConfig;
  readonly #clock: Clock;
  readonly #log: Logger;
  #current: ServerCertificate;
  /** The files as they were when #current was read. */
  #seen: string;
  /** What was said last about new files that are no good: once is enough. */
  #complaint: string | undefined;
  #reminded = 0;
  #timer: NodeJS.Timeout | undefined;
  readonly #followers = new Set<Server>();

  private constructor(config: ScsConfig, clock: Clock, log: Logger, obtained: Obtained) {
    this.#config = config;
    this.#clock = clock;
    this.#log = log;
    this.#current = obtained.certificate;
    this.#seen = obtained.stamp;
  }

  static async open(config: ScsConfig, clock: Clock, log: Logger): Promise<Certificates> {
    return new Certificates(config, clock, log, await obtain(config, clock));
  }

  get current(): ServerCertificate {
    return this.#current;
  }

  /** From now on `server` gets every new certificate while it runs. Connections that are open keep theirs. */
  follow(server: Server, interval = this.#config.tls.mode === 'site' ? SITE_INTERVAL : OWN_INTERVAL): void {
    this.#followers.add(server);
    clearInterval(this.#timer);
    this.#timer = setInterval(() => void this.refresh(server), interval).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Looks whether there is a new certificate and hands it to `server` and all that follow. A bad one is logged and the old one stays. */
  async refresh(server: Server): Promise<void> {
    this.#remind();
    if (this.#config.tls.mode === 'site' && stampOf(filesOf(this.#config)) === this.#seen) return;
    try {
      const { certificate, stamp } = await obtain(this.#config, this.#clock);
      if (certificate.cert !== this.#current.cert) {
        for (const one of new Set([server, ...this.#followers])) one.setSecureContext(certificate);
        this.#current = certificate;
        this.#log.info('The TLS certificate was replaced');
      }
      this.#seen = stamp;
      this.#complaint = undefined;
    } catch (error) {
      const complaint = messageOf(error);
      if (complaint === this.#complaint) return;
      this.#complaint = complaint;
      this.#log.error(`The TLS certificate was not replaced: ${complaint}`);
    }
  }

  /** Own certificates are renewed by themselves, those of the site and the own authority by people. */
  #remind(): void {
    const now = this.#clock.now().getTime();
    const chain = certificatesIn(this.#current.cert).map((pem) => new X509Certificate(pem));
    const watched = this.#config.tls.mode === 'site' ? chain.at(0) : chain.at(-1);
    if (watched === undefined || watched.validToDate.getTime() - now > REMIND_BEFORE) return;
    if (now - this.#reminded < DAY) return;
    this.#reminded = now;
    const what = this.#config.tls.mode === 'site' ? 'certificate' : 'authority';
    this.#log.warn(
      `The TLS ${what} of this instance ends on ${watched.validToDate.toISOString()}: clients will refuse it then`,
    );
  }
}

/** The certificates of a PEM text, in its order. */
function certificatesIn(pem: string): string[] {
  return pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
}

interface Obtained {
  readonly certificate: ServerCertificate;
  /** The files at the time. */
  readonly stamp: string;
}

const filesOf = ({ tls: { certFile, keyFile } }: ScsConfig): readonly string[] => [certFile, keyFile];

async function obtain(config: ScsConfig, clock: Clock): Promise<Obtained> {
  if (config.tls.mode === 'own') {
    const certificate = await ownCertificate(config, clock);
    return { certificate, stamp: stampOf(filesOf(config)) };
  }
  for (let reading = 1; ; reading += 1) {
    const stamp = stampOf(filesOf(config));
    try {
      return { certificate: siteCertificate(config, clock), stamp };
    } catch (error) {
      // The certificate of before with the key of now: somebody is replacing them at this moment.
      if (reading === MOST_READINGS || stampOf(filesOf(config)) === stamp) throw error;
    }
  }
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
      {
        reason: 'certificate_mismatch',
        remedy: 'Put certificate and key of the same pair into SCS_TLS_CERT_FILE and SCS_TLS_KEY_FILE.',
      },
    );
  checkDates(leaf, config.tls.certFile, clock);
  checkName(leaf, config);
  parseSetting('a usable certificate', 'SCS_TLS_CERT_FILE', config.tls.certFile, () =>
    createSecureContext({ cert, key }),
  );
  return { cert, key, minVersion: OLDEST_TLS };
}

/** What clients are told has to be in the certificate: they, and the services among each other, ask for that name. */
function checkName(leaf: X509Certificate, { publicUrl, tls: { certFile } }: ScsConfig): void {
  const host = hostOf(publicUrl);
  // RFC 9525 §2: clients look at the alternative names, not at the common name.
  const good = isIP(host) === 0 ? leaf.checkHost(host, { subject: 'never' }) : leaf.checkIP(host);
  if (good !== undefined) return;
  const names = (leaf.subjectAltName ?? '').replaceAll(/(?:DNS|IP Address):/g, '');
  throw new DomainError(
    'unprocessable',
    `The certificate in SCS_TLS_CERT_FILE (${certFile}) is not good for ${host}, but for ${names === '' ? 'no name at all' : names}`,
    {
      reason: 'certificate_of_another_name',
      remedy: 'Name one of these in SCS_PUBLIC_URL, or put a certificate with that name there.',
    },
  );
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
    return { cert: existing, key: existing, minVersion: OLDEST_TLS };
  const fresh = await authority.issue(names);
  replaceFile(config.tls.certFile, fresh, 0o600);
  return { cert: fresh, key: fresh, minVersion: OLDEST_TLS };
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
