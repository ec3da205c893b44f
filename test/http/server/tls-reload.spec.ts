import { once } from 'node:events';
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ManualClock, messageOf } from '#libs/core';
import { InternalClient } from '#libs/server';
import { startApp, type StartAppOptions, type StartedApp } from '../../support/app.js';
import { METRICS_ON, metricsPort } from '../../support/metrics.js';
import { CertificateAuthority, type TestCertificate } from '../../support/certificates.js';
import { greet } from '../../support/tls-client.js';

const DAY = 24 * 60 * 60 * 1000;

let folder: string;
let authority: CertificateAuthority;
let app: StartedApp | undefined;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'scs-reload-'));
  authority = await CertificateAuthority.make();
  writeFileSync(join(folder, 'ca.pem'), authority.cert);
});
afterEach(async () => {
  await app?.stop();
  app = undefined;
  rmSync(folder, { recursive: true });
});

const write = (to: string, { cert, key }: TestCertificate): void => {
  mkdirSync(join(folder, to), { recursive: true });
  writeFileSync(join(folder, to, 'tls.crt'), cert);
  writeFileSync(join(folder, to, 'tls.key'), key);
};

/** Makes a link what it is to be in one step, as `ln -sfn` and Kubernetes do. */
const relink = (target: string, name: string): void => {
  symlinkSync(target, join(folder, `${name}.new`));
  renameSync(join(folder, `${name}.new`), join(folder, name));
};

async function start(options: Partial<StartAppOptions> & { readonly in?: string } = {}): Promise<StartedApp> {
  const { in: place = '.', env, ...rest } = options;
  app = await startApp({
    modules: [],
    ...rest,
    env: {
      SCS_SERVICES: 'auth',
      SCS_TLS_CERT_FILE: join(folder, place, 'tls.crt'),
      SCS_TLS_KEY_FILE: join(folder, place, 'tls.key'),
      SCS_TLS_CA_FILE: join(folder, 'ca.pem'),
      ...env,
    },
  });
  return app;
}

const serialShown = async (one: StartedApp, ca = authority.cert): Promise<string> =>
  (await greet(one.config.port, { ca })).certificate.serialNumber;
const look = (one: StartedApp): Promise<void> | undefined =>
  one.server.certificates?.refresh(one.server.http as Server);
const logged = (one: StartedApp, level: number): string[] =>
  readFileSync(join(one.home, 'log/test.log'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { level: number; msg: string })
    .filter((line) => line.level === level)
    .map((line) => line.msg);

describe('certificate files of the site', () => {
  it('are taken when Kubernetes swaps the folder that they are links into', async () => {
    write('..first', await authority.issue());
    relink('..first', '..data');
    symlinkSync('..data/tls.crt', join(folder, 'tls.crt'));
    symlinkSync('..data/tls.key', join(folder, 'tls.key'));
    const one = await start();
    const first = await serialShown(one);
    one.server.certificates?.stop();
    one.server.certificates?.follow(one.server.http as Server, 20);
    write('..second', await authority.issue());
    relink('..second', '..data');
    rmSync(join(folder, '..first'), { recursive: true });
    await expect.poll(() => serialShown(one)).not.toBe(first);
    expect(logged(one, 50)).toEqual([]);
  });

  it('are taken by the port of the metrics, too', async () => {
    write('.', await authority.issue());
    const one = await start({ env: METRICS_ON });
    const shown = async (): Promise<string> =>
      (await greet(metricsPort(one), { ca: authority.cert })).certificate.serialNumber;
    const first = await shown();
    expect(first).toBe(await serialShown(one));
    write('.', await authority.issue());
    await look(one);
    expect(await shown()).not.toBe(first);
    expect(await shown()).toBe(await serialShown(one));
  });

  it('are taken when certbot turns its links one after the other, and the pair of before stays in between', async () => {
    write('archive1', await authority.issue());
    write('archive2', await authority.issue());
    mkdirSync(join(folder, 'live'));
    relink('../archive1/tls.crt', 'live/tls.crt');
    relink('../archive1/tls.key', 'live/tls.key');
    const one = await start({ in: 'live' });
    const first = await serialShown(one);
    relink('../archive2/tls.crt', 'live/tls.crt');
    await look(one);
    expect(await serialShown(one)).toBe(first);
    relink('../archive2/tls.key', 'live/tls.key');
    await look(one);
    expect(await serialShown(one)).not.toBe(first);
  });

  it('that are broken leave the ones of before, with one error in the log for each fault', async () => {
    write('.', await authority.issue());
    const one = await start();
    const first = await serialShown(one);
    const { key } = await authority.issue();
    writeFileSync(join(folder, 'tls.key'), key);
    for (let count = 0; count < 3; count += 1) await look(one);
    expect(logged(one, 50)).toEqual([
      expect.stringMatching(
        /^The TLS certificate was not replaced: Expected the private key of the certificate/,
      ),
    ]);
    rmSync(join(folder, 'tls.crt'));
    for (let count = 0; count < 3; count += 1) await look(one);
    expect(logged(one, 50).slice(1)).toEqual([expect.stringContaining('ENOENT')]);
    expect(await serialShown(one)).toBe(first);
    write('.', await authority.issue());
    await look(one);
    expect(await serialShown(one)).not.toBe(first);
  });

  it.each([
    ['expired', { until: -0.5 }],
    ['not valid yet', { from: 1 }],
  ])('that are %s leave the ones of before', async (_, times) => {
    write('.', await authority.issue());
    const one = await start();
    const first = await serialShown(one);
    write('.', await authority.issue(undefined, times));
    await look(one);
    expect(await serialShown(one)).toBe(first);
    expect(logged(one, 50)).toEqual([expect.stringContaining('SCS_TLS_CERT_FILE')]);
  });

  it('of another name leave the ones of before', async () => {
    write('.', await authority.issue());
    const one = await start();
    const first = await serialShown(one);
    write('.', await authority.issue(['elsewhere.example.org']));
    await look(one);
    expect(await serialShown(one)).toBe(first);
    expect(logged(one, 50)).toEqual([expect.stringContaining('not good for localhost, but for elsewhere')]);
  });

  it('are trusted by the process itself, whoever issued them, also when they are new', async () => {
    write('.', await authority.issue());
    const one = await start({ env: { SCS_TLS_CA_FILE: '' } });
    const call = (): Promise<unknown> =>
      one
        .get(InternalClient)
        .call({ service: 'auth', path: '/healthz', token: undefined, timeout: 5_000 })
        .then(({ status }) => status, messageOf);
    expect(await call()).toBe(200);
    const next = await CertificateAuthority.make();
    write('.', await next.issue());
    await look(one);
    expect(await serialShown(one, next.cert)).toMatch(/^01/);
    // What was open keeps the certificate that it began with.
    one.server.http.closeAllConnections();
    await expect.poll(call).toBe(200);
  });

  it('of other services are trusted when SCS_TLS_CA_FILE names a new authority, without a restart', async () => {
    const other = createServer(await authority.issue(), (_request, response) => response.end('{}'));
    await once(other.listen(0, '127.0.0.1'), 'listening');
    const { port } = other.address() as AddressInfo;
    write('.', await authority.issue());
    const one = await start({ env: { SCS_LIBRARY_URL: `https://localhost:${port}` } });
    const call = (): Promise<unknown> =>
      one
        .get(InternalClient)
        .call({ service: 'library', path: '/x', token: undefined, timeout: 5_000 })
        .then(({ status }) => status, messageOf);
    expect(await call()).toBe(200);
    const next = await CertificateAuthority.make();
    other.setSecureContext(await next.issue());
    other.closeAllConnections();
    await expect.poll(call).toContain('not trusted');
    writeFileSync(join(folder, 'ca.pem'), next.cert);
    expect(await call()).toBe(200);
    rmSync(join(folder, 'ca.pem'));
    other.closeAllConnections();
    await expect.poll(call).toBe(200);
    other.close();
  });

  it('that end within two weeks are reminded of, once a day', async () => {
    write('.', await authority.issue(undefined, { until: 15 * 24 }));
    const clock = new ManualClock(new Date());
    const one = await start({ clock });
    for (let count = 0; count < 3; count += 1) await look(one);
    expect(logged(one, 40)).toEqual([]);
    clock.advance(1.5 * DAY);
    for (let count = 0; count < 3; count += 1) await look(one);
    expect(logged(one, 40)).toEqual([
      expect.stringContaining('The TLS certificate of this instance ends on'),
    ]);
    clock.advance(1.1 * DAY);
    await look(one);
    expect(logged(one, 40)).toHaveLength(2);
  });
});
