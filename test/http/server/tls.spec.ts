import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type PeerCertificate } from 'node:tls';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ManualClock } from '#libs/core';
import { startApp, type StartedApp } from '../../support/app.js';
import { makeCertificate } from '../../support/certificates.js';

const DAY = 24 * 60 * 60 * 1000;
const SERVICES = { SCS_SERVICES: 'auth' };

/** The certificate that the app shows now to a client that trusts `ca`. */
function shown(app: StartedApp, ca: string, servername = 'localhost'): Promise<PeerCertificate> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port: app.config.port, ca, servername }, () => {
      resolve(socket.getPeerCertificate());
      socket.destroy();
    });
    socket.once('error', reject);
  });
}

describe('a certificate of its own', () => {
  let app: StartedApp;
  beforeAll(async () => {
    app = await startApp({ modules: [], env: { ...SERVICES, SCS_NAMES: 'scs.example.org,192.0.2.9' } });
  });
  afterAll(() => app.stop());

  const authority = (): string => readFileSync(join(app.home, 'tls/ca.pem'), 'utf8');

  it('is trusted with ca.pem alone, for localhost and for SCS_NAMES', async () => {
    await expect(shown(app, authority())).resolves.toBeDefined();
    await expect(shown(app, authority(), 'scs.example.org')).resolves.toBeDefined();
    const { subjectaltname } = await shown(app, authority());
    for (const name of [
      'DNS:localhost',
      'IP Address:127.0.0.1',
      'DNS:scs.example.org',
      'IP Address:192.0.2.9',
    ])
      expect(subjectaltname?.split(', ')).toContain(name);
  });

  it('is not good for other names, nor without the authority', async () => {
    await expect(shown(app, authority(), 'evil.example.org')).rejects.toThrow(/does not match/);
    const other = await makeCertificate(new Date(Date.now() - DAY), new Date(Date.now() + DAY));
    await expect(shown(app, other.cert)).rejects.toThrow(/certificate/);
  });

  it('keeps every key for its owner, and none in ca.pem', () => {
    for (const file of ['authority.pem', 'server.pem'])
      expect(statSync(join(app.home, 'tls', file)).mode & 0o777).toBe(0o600);
    expect(authority()).not.toContain('PRIVATE');
    const certificate = new X509Certificate(authority());
    expect(certificate.ca).toBe(true);
    expect(certificate.publicKey.asymmetricKeyDetails?.namedCurve).toBe('prime256v1');
  });
});

describe('a second start', () => {
  let home: string;
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'scs-tls-'));
  });
  afterEach(() => rmSync(home, { recursive: true }));

  const start = async (env: Record<string, string>, now = Date.now()): Promise<string> => {
    const app = await startApp({
      modules: [],
      home,
      env: { ...SERVICES, ...env },
      clock: new ManualClock(new Date(now)),
    });
    await app.stop();
    return readFileSync(join(home, 'tls/server.pem'), 'utf8');
  };

  it('keeps authority and certificate', async () => {
    const first = await start({});
    const authority = readFileSync(join(home, 'tls/ca.pem'), 'utf8');
    expect(await start({})).toBe(first);
    expect(readFileSync(join(home, 'tls/ca.pem'), 'utf8')).toBe(authority);
  });

  it('makes a new certificate when the names change, from the same authority', async () => {
    const first = await start({});
    const authority = new X509Certificate(readFileSync(join(home, 'tls/ca.pem')));
    const second = await start({ SCS_NAMES: 'new.example.org' });
    expect(second).not.toBe(first);
    expect(new X509Certificate(second).verify(authority.publicKey)).toBe(true);
    expect(await start({})).not.toContain(second);
  });

  it('renews a certificate that has less than a month to go', async () => {
    const first = await start({});
    expect(await start({}, Date.now() + 50 * DAY)).toBe(first);
    expect(await start({}, Date.now() + 61 * DAY)).not.toBe(first);
  });

  it('renews it while it runs, for connections from then on', async () => {
    // It is to be renewed about now: clients have no other clock than the machine's.
    const clock = new ManualClock(new Date(Date.now() - 60 * DAY - DAY / 2));
    const app = await startApp({ modules: [], home, env: SERVICES, clock });
    const http = app.server.http as Server;
    try {
      const authority = readFileSync(join(home, 'tls/ca.pem'), 'utf8');
      const first = await shown(app, authority);
      clock.advance(59 * DAY);
      await app.server.certificates?.refresh(http);
      expect((await shown(app, authority)).serialNumber).toBe(first.serialNumber);
      clock.advance(1.5 * DAY);
      await app.server.certificates?.refresh(http);
      const second = await shown(app, authority);
      expect(second.serialNumber).not.toBe(first.serialNumber);
      expect(Date.parse(second.valid_to) - clock.now().getTime()).toBeGreaterThan(89 * DAY);
    } finally {
      await app.stop();
    }
  });

  it('warns in the log when the authority itself comes to its end', async () => {
    const clock = new ManualClock(new Date(Date.now() - 60 * DAY));
    const app = await startApp({ modules: [], home, env: SERVICES, clock });
    clock.advance(3640 * DAY);
    await app.server.certificates?.refresh(app.server.http as Server);
    expect(readFileSync(join(home, 'log/test.log'), 'utf8')).toMatch(
      /"level":40.*The TLS authority of this instance ends on \d{4}-/,
    );
    await app.stop();
  });

  it('says that the authority has expired', async () => {
    await start({});
    await expect(start({}, Date.now() + 3651 * DAY)).rejects.toThrow(/authority.*expired on \d{4}-\d\d-\d\d/);
  });

  it('says that the authority is damaged, and makes no other one behind its back', async () => {
    await start({});
    writeFileSync(join(home, 'tls/authority.pem'), 'x');
    await expect(start({})).rejects.toThrow('is damaged');
    expect(readFileSync(join(home, 'tls/authority.pem'), 'utf8')).toBe('x');
  });
});

describe('a certificate of the site', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'scs-site-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  async function place(from = -DAY, until = DAY, names?: readonly string[]): Promise<string> {
    const now = Date.now();
    const made = await makeCertificate(new Date(now + from), new Date(now + until), 'test', names);
    writeFileSync(join(folder, 'cert.pem'), made.cert);
    writeFileSync(join(folder, 'key.pem'), made.key);
    return made.cert;
  }
  const env = (): Record<string, string> => ({
    ...SERVICES,
    SCS_TLS_CERT_FILE: join(folder, 'cert.pem'),
    SCS_TLS_KEY_FILE: join(folder, 'key.pem'),
  });

  it('is used, and replaced without a restart when its files change', async () => {
    const first = await place();
    const app = await startApp({ modules: [], env: env() });
    try {
      await expect(shown(app, first)).resolves.toBeDefined();
      const second = await place();
      await app.server.certificates?.refresh(app.server.http as Server);
      await expect(shown(app, second)).resolves.toBeDefined();
      await expect(shown(app, first)).rejects.toThrow(/certificate/);
    } finally {
      await app.stop();
    }
  });

  it('stays when what replaces it is broken, until that is repaired', async () => {
    const first = await place();
    const app = await startApp({ modules: [], env: env() });
    try {
      const { key } = await makeCertificate(new Date(Date.now() - DAY), new Date(Date.now() + DAY));
      writeFileSync(join(folder, 'key.pem'), key);
      await app.server.certificates?.refresh(app.server.http as Server);
      await expect(shown(app, first)).resolves.toBeDefined();
      const third = await place();
      await app.server.certificates?.refresh(app.server.http as Server);
      await expect(shown(app, third)).resolves.toBeDefined();
    } finally {
      await app.stop();
    }
  });

  it.each<[string, () => Promise<void>, RegExp]>([
    [
      'expired',
      async () => void (await place(-2 * DAY, -DAY)),
      /SCS_TLS_CERT_FILE .* expired on \d{4}-\d\d-\d\d$/,
    ],
    ['not valid yet', async () => void (await place(DAY, 2 * DAY)), /is not valid before \d{4}-\d\d-\d\d$/],
    ['missing', () => Promise.resolve(), /a file that can be read for SCS_TLS_CERT_FILE.*ENOENT/],
    [
      'of another name',
      async () => void (await place(-DAY, DAY, ['scs.example.org', '*.lab.example.org', '192.0.2.1'])),
      /SCS_TLS_CERT_FILE \(.*\) is not good for localhost, but for scs.example.org, \*.lab.example.org, 192.0.2.1$/,
    ],
    [
      'of another key',
      async () => {
        await place();
        const { key } = await makeCertificate(new Date(), new Date(Date.now() + DAY));
        writeFileSync(join(folder, 'key.pem'), key);
      },
      /Expected the private key of the certificate in SCS_TLS_CERT_FILE/,
    ],
    [
      'no certificate',
      async () => {
        await place();
        writeFileSync(join(folder, 'cert.pem'), 'hello');
      },
      /Expected a certificate in PEM for SCS_TLS_CERT_FILE/,
    ],
  ])('that is %s stops the start with one sentence', async (_name, arrange, sentence) => {
    await arrange();
    await expect(startApp({ modules: [], env: env() })).rejects.toThrow(sentence);
  });
});

describe('the authorities of the site', () => {
  it.each<[string, string | undefined, RegExp]>([
    ['missing', undefined, /a file that can be read for SCS_TLS_CA_FILE.*ENOENT/],
    ['no certificates', 'hello', /certificates in PEM for SCS_TLS_CA_FILE/],
  ])('that are %s stop the start with one sentence', async (_name, text, sentence) => {
    const folder = mkdtempSync(join(tmpdir(), 'scs-site-'));
    const file = join(folder, 'ca.pem');
    if (text !== undefined) writeFileSync(file, text);
    await expect(startApp({ modules: [], env: { ...SERVICES, SCS_TLS_CA_FILE: file } })).rejects.toThrow(
      sentence,
    );
    rmSync(folder, { recursive: true });
  });
});
