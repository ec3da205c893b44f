import { randomBytes, webcrypto, X509Certificate as NodeCertificate } from 'node:crypto';
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import type { Clock } from '#libs/core';
import { DomainError, systemCode } from '#libs/core';
import * as x509 from '@peculiar/x509';

const KEY = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const DAY = 24 * 60 * 60 * 1000;
const AUTHORITY_DAYS = 3650;
/** Clients refuse server certificates of more than 398 days; ours renew themselves, so they can be short. */
const SERVER_DAYS = 90;
/** Clocks of clients may be behind ours. */
const BACKDATED = DAY;

x509.cryptoProvider.set(webcrypto);

/** The instance's own certificate authority: makes certificates for the names of this machine. */
export class Authority {
  /** The authority's certificate in PEM: what clients have to trust. */
  readonly certificate: string;
  readonly #key: webcrypto.CryptoKey;
  readonly #clock: Clock;

  private constructor(certificate: string, key: webcrypto.CryptoKey, clock: Clock) {
    this.certificate = certificate;
    this.#key = key;
    this.#clock = clock;
  }

  /**
   * Opens the authority of a folder, or makes it on the first start. Key and certificate are one file (0600) that appears
   * whole or not at all, so two processes that start at once agree. `ca.pem` beside it is what may be given away.
   * @throws DomainError when the files are damaged or the authority has expired
   */
  static async open(folder: string, clock: Clock): Promise<Authority> {
    const file = join(folder, 'authority.pem');
    let pem = read(file);
    if (pem === undefined) {
      pem = await makeAuthority(clock);
      pem = publishOnce(file, pem);
    }
    const { certificate, key } = await parse(pem, file);
    checkAuthority(certificate, file, clock);
    const caFile = join(folder, 'ca.pem');
    if (read(caFile) !== certificate) replaceFile(caFile, certificate, 0o644);
    return new Authority(certificate, key, clock);
  }

  /** A key and a certificate for `names`, as one PEM text: key, certificate, authority. */
  async issue(names: readonly string[]): Promise<string> {
    const keys = await generateKeys();
    const issuer = new x509.X509Certificate(this.certificate);
    const now = this.#clock.now().getTime();
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: serial(),
      subject: [{ CN: ['SCS server'] }],
      issuer: issuer.subject,
      notBefore: new Date(now - BACKDATED),
      notAfter: new Date(Math.min(now + SERVER_DAYS * DAY, issuer.notAfter.getTime())),
      publicKey: keys.publicKey,
      signingKey: this.#key,
      signingAlgorithm: KEY,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        new x509.SubjectAlternativeNameExtension(
          names.map((value) => ({ type: isIP(value) === 0 ? ('dns' as const) : ('ip' as const), value })),
        ),
        await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    });
    return `${await exportKey(keys.privateKey)}\n${certificate.toString('pem')}\n${this.certificate}`;
  }
}

async function makeAuthority(clock: Clock): Promise<string> {
  const keys = await generateKeys();
  const now = clock.now().getTime();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    // A number of its own, so that a browser which knows two instances tells them apart.
    name: [{ O: ['SCS'] }, { CN: [`SCS instance ${randomBytes(4).toString('hex')}`] }],
    notBefore: new Date(now - BACKDATED),
    notAfter: new Date(now + AUTHORITY_DAYS * DAY),
    signingAlgorithm: KEY,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return `${await exportKey(keys.privateKey)}\n${certificate.toString('pem')}\n`;
}

function checkAuthority(certificate: string, file: string, clock: Clock): void {
  const until = new NodeCertificate(certificate).validToDate;
  if (until > clock.now()) return;
  throw new DomainError(
    'unprocessable',
    `The certificate authority of this instance (${file}) expired on ${until.toISOString().slice(0, 10)}`,
    {
      reason: 'certificate_expired',
      remedy: 'Remove that file for a new one; every client has to trust it anew.',
    },
  );
}

async function parse(pem: string, file: string): Promise<{ certificate: string; key: webcrypto.CryptoKey }> {
  try {
    const der = x509.PemConverter.decodeWithHeaders(pem).find(({ type }) => type === 'PRIVATE KEY');
    const certificate = /-----BEGIN CERTIFICATE-----[^]+-----END CERTIFICATE-----\n/.exec(pem)?.[0];
    if (der === undefined || certificate === undefined) throw new Error('A part is missing');
    return {
      certificate,
      key: await webcrypto.subtle.importKey('pkcs8', der.rawData, KEY, false, ['sign']),
    };
  } catch (error) {
    throw new DomainError(
      'unprocessable',
      `The certificate authority of this instance (${file}) is damaged`,
      {
        remedy: 'Restore the file, or remove it for a new authority; every client has to trust it anew.',
        cause: error,
      },
    );
  }
}

function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(KEY, true, ['sign', 'verify']);
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  const der = await webcrypto.subtle.exportKey('pkcs8', key);
  return x509.PemConverter.encode(der, 'PRIVATE KEY');
}

function serial(): string {
  const bytes = randomBytes(16);
  // Positive and never with a leading zero byte, as DER wants it.
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes.toString('hex');
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Creates `file` with `text` unless it exists; returns what it then holds. */
function publishOnce(file: string, text: string): string {
  const temporary = `${file}.${process.pid}`;
  writeFileSync(temporary, text, { mode: 0o600, flush: true });
  try {
    linkSync(temporary, file);
    return text;
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error;
    return readFileSync(file, 'utf8');
  } finally {
    rmSync(temporary, { force: true });
  }
}

/** Replaces a file as a whole. */
export function replaceFile(file: string, text: string, mode: number): void {
  const temporary = `${file}.${process.pid}`;
  writeFileSync(temporary, text, { mode, flush: true });
  renameSync(temporary, file);
}
