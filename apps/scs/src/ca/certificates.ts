import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join, resolve } from 'node:path';
import { connect } from 'node:tls';
import type { Surroundings } from '#libs/cli';
import { DomainError, systemCode } from '#libs/core';
import { homeOf, runningEndpoint } from '../instance.js';

/** A certificate as `scs ca show` tells of it. */
export interface ShownCertificate {
  /** `authority`: what clients trust. `server`: what the instance shows to them. */
  readonly role: 'authority' | 'server';
  readonly subject: string;
  readonly issuer: string;
  /** Names and addresses that it is good for; none for an authority. */
  readonly names: readonly string[];
  /** SHA-256 as `openssl x509 -fingerprint -sha256` prints it. */
  readonly fingerprint: string;
  readonly validFrom: string;
  readonly validUntil: string;
  /** Where it was read; null for what a running instance shows. */
  readonly file: string | null;
  /** Only of authorities: it is what is given away. */
  readonly pem: string | null;
}

/**
 * The authorities that clients of the instance have to trust, and the certificate that its server shows: while it runs as it is
 * shown, otherwise from its file. No authority: the certificate comes from one that everybody trusts.
 * @throws DomainError `not_found` before the first start
 */
export async function certificatesOf(place: Surroundings): Promise<readonly ShownCertificate[]> {
  const home = homeOf(place);
  const endpoint = await runningEndpoint(place);
  const file = endpoint === undefined ? join(home, 'tls/ca.pem') : resolve(home, endpoint.caFile);
  const text = await readOptional(file);
  if (text === undefined && endpoint === undefined)
    throw new DomainError('not_found', `There is no certificate authority in ${home} yet`, {
      reason: 'no_authority',
      remedy: 'It is made at the first start: ./scripts/up',
    });
  const authorities = certificatesIn(text ?? '')
    .filter((certificate) => certificate.ca)
    .map((certificate) => show(certificate, 'authority', file));
  const shown = endpoint === undefined ? undefined : await shownBy(endpoint.url);
  const server = shown ?? (await storedServer(join(home, 'tls/server.pem')));
  return [...authorities, ...(server === undefined ? [] : [server])];
}

async function storedServer(file: string): Promise<ShownCertificate | undefined> {
  const [leaf] = certificatesIn((await readOptional(file)) ?? '');
  return leaf === undefined ? undefined : show(leaf, 'server', file);
}

const PATIENCE = 5_000;

/** Whether it is to be trusted is not asked here: people look at it because it is not. */
function shownBy(url: string): Promise<ShownCertificate | undefined> {
  const { protocol, hostname, port } = new URL(url);
  if (protocol !== 'https:') return Promise.resolve(undefined);
  const host = hostname.replace(/^\[|\]$/g, '');
  return new Promise((done) => {
    const socket = connect(
      {
        host,
        port: Number(port === '' ? 443 : port),
        ...(isIP(host) === 0 ? { servername: host } : {}),
        rejectUnauthorized: false,
      },
      () => {
        const certificate = socket.getPeerX509Certificate();
        socket.destroy();
        done(certificate === undefined ? undefined : show(certificate, 'server', null));
      },
    );
    socket.setTimeout(PATIENCE, () => socket.destroy(new Error('No answer')));
    // It may have stopped just now; the authority is worth showing all the same.
    socket.once('error', () => done(undefined));
  });
}

function show(
  certificate: X509Certificate,
  role: ShownCertificate['role'],
  file: string | null,
): ShownCertificate {
  const names = [...(certificate.subjectAltName ?? '').matchAll(/(?:DNS|IP Address):([^,\s"]+)/g)];
  return {
    role,
    subject: oneLine(certificate.subject),
    issuer: oneLine(certificate.issuer),
    names: names.map(([, name]) => name ?? ''),
    fingerprint: certificate.fingerprint256,
    validFrom: certificate.validFromDate.toISOString(),
    validUntil: certificate.validToDate.toISOString(),
    file,
    pem: role === 'authority' ? certificate.toString() : null,
  };
}

const oneLine = (name: string): string => name.split('\n').join(', ');

function certificatesIn(text: string): X509Certificate[] {
  const found = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return found.map((pem) => new X509Certificate(pem));
}

async function readOptional(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
