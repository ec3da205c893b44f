import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import tls from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { InternalClient } from '#libs/server';
import { startApp, type StartedApp } from '../../support/app.js';
import { CertificateAuthority } from '../../support/certificates.js';
import { temporaryFolder } from '../../support/temporary.js';
import { greet } from '../../support/tls-client.js';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Everything that Node and OpenSSL could be talked into, so that what holds is what the program says itself. */
const MOST_LENIENT = { DEFAULT_MIN_VERSION: 'TLSv1', DEFAULT_CIPHERS: 'DEFAULT@SECLEVEL=0' } as const;
const before = { DEFAULT_MIN_VERSION: tls.DEFAULT_MIN_VERSION, DEFAULT_CIPHERS: tls.DEFAULT_CIPHERS };
afterEach(() => Object.assign(tls, before));

const OLD = ['TLSv1', 'TLSv1.1'] as const;
const alert = expect.objectContaining({ code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION' }) as Error;

describe('a server', () => {
  let app: StartedApp;
  let authority: string;
  beforeAll(async () => {
    Object.assign(tls, MOST_LENIENT);
    app = await startApp({ modules: [], env: { SCS_SERVICES: 'auth' } });
    authority = app.ca;
  });
  afterAll(() => app.stop());

  const port = (): number => app.config.port;

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('speaks %s', async (only) => {
    expect((await greet(port(), { ca: authority, only })).protocol).toBe(only);
  });

  it.each(OLD)('refuses %s on loopback, however lenient Node was told to be', async (only) => {
    await expect(greet(port(), { ca: authority, only })).rejects.toEqual(alert);
  });

  it.each(OLD)('refuses %s with a certificate that came while it runs', async (only) => {
    Object.assign(tls, MOST_LENIENT);
    const { certificates, http } = app.server;
    const current = certificates?.current;
    if (current === undefined) throw new Error('no certificate');
    (http as Server).setSecureContext(current);
    await expect(greet(port(), { ca: authority, only })).rejects.toEqual(alert);
    expect((await greet(port(), { ca: authority })).protocol).toBe('TLSv1.3');
  });
});

describe('a server of TLS 1.1', () => {
  let old: Server;
  let port: number;
  let authority: CertificateAuthority;
  beforeAll(async () => {
    authority = await CertificateAuthority.make();
    old = createServer(
      {
        ...(await authority.issue()),
        minVersion: 'TLSv1.1',
        maxVersion: 'TLSv1.1',
        ciphers: MOST_LENIENT.DEFAULT_CIPHERS,
      },
      (_request, response) => response.end('{}'),
    );
    await new Promise<void>((resolve) => {
      old.listen(0, '127.0.0.1', resolve);
    });
    ({ port } = old.address() as AddressInfo);
  });
  afterAll(() => old.close());

  it('is reached by a client of TLS 1.1: the refusals here are those of our programs', async () => {
    expect((await greet(port, { ca: authority.cert, only: 'TLSv1.1' })).protocol).toBe('TLSv1.1');
  });

  it('is called by no service, however lenient Node was told to be', async () => {
    const folder = await temporaryFolder();
    const caFile = join(folder.path, 'ca.pem');
    await writeFile(caFile, authority.cert);
    Object.assign(tls, MOST_LENIENT);
    const app = await startApp({
      modules: [],
      env: { SCS_SERVICES: 'auth', SCS_LIBRARY_URL: `https://localhost:${port}`, SCS_TLS_CA_FILE: caFile },
    });
    try {
      const call = { service: 'library', path: '/x', token: undefined } as const;
      await expect(app.get(InternalClient).call(call)).rejects.toThrow(
        /ERR_SSL_UNSUPPORTED_PROTOCOL|ALERT_PROTOCOL/,
      );
      // What other libraries in the process would call with.
      expect(tls.DEFAULT_MIN_VERSION).toBe('TLSv1.2');
    } finally {
      await app.stop();
      await folder.remove();
    }
  });
});
