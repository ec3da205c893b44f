import { X509Certificate } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { scs } from '#apps/scs/src/program';
import { run } from '#libs/cli';
import { type StartedApp, startApp } from '../../support/app.js';
import { CertificateAuthority } from '../../support/certificates.js';
import { temporaryFolder } from '../../support/temporary.js';
import { greet } from '../../support/tls-client.js';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let home: string;
let app: StartedApp | undefined;
beforeEach(async () => {
  folder = await temporaryFolder();
  home = join(folder.path, 'home');
});
afterEach(async () => {
  await app?.stop();
  app = undefined;
  await folder.remove();
});

const call = (...argv: string[]) => run(scs, ['ca', 'show', ...argv], { env: { SCS_HOME: home } });

/** Starts an instance that `scs` finds, as the supervisor writes it down. */
async function start(env: Record<string, string> = {}): Promise<StartedApp> {
  app = await startApp({ modules: [], home, env: { SCS_SERVICES: 'auth', ...env } });
  const { tls, version } = app.config;
  const endpoint = { url: app.url, tokenFile: 'x', username: 'admin', pid: process.pid, version };
  const caFile = tls.caFile ?? tls.certFile;
  await writeFile(join(home, 'endpoint.json'), JSON.stringify({ ...endpoint, caFile }));
  return app;
}

describe('scs ca show', () => {
  it('shows the authority, its fingerprint and end, and what the server shows', async () => {
    const one = await start({ SCS_NAMES: 'scs.example.org,192.0.2.9' });
    const { status, stdout } = await call();
    expect(status).toBe(0);
    const authority = new X509Certificate(await readFile(join(home, 'tls/ca.pem')));
    const { certificate } = await greet(one.config.port, { ca: authority.toString() });
    expect(stdout).toContain(`fingerprint  ${authority.fingerprint256} (SHA-256)\n`);
    expect(stdout).toContain(`until        ${authority.validToDate.toISOString()}\n`);
    expect(stdout).toContain(`fingerprint  ${certificate.fingerprint256} (SHA-256)\n`);
    expect(stdout).toMatch(/^names {8}.*\b192\.0\.2\.9\b.*\bscs\.example\.org/m);
    expect(stdout).not.toContain('PRIVATE');
  });

  it('prints what a client can trust as it is, and with --pem nothing else', async () => {
    const one = await start();
    const whole = await call();
    await expect(greet(one.config.port, { ca: whole.stdout })).resolves.toBeDefined();
    const pem = await call('--pem');
    expect(pem.stdout.trim()).toBe((await readFile(join(home, 'tls/ca.pem'), 'utf8')).trim());
  });

  it('says the same to programs', async () => {
    await start({ SCS_NAMES: 'scs.example.org' });
    const { certificates } = JSON.parse((await call('--json')).stdout) as { certificates: object[] };
    const authority = new X509Certificate(await readFile(join(home, 'tls/ca.pem')));
    expect(certificates).toEqual([
      {
        role: 'authority',
        subject: expect.stringMatching(/^O=SCS, CN=SCS instance [0-9a-f]{8}$/),
        issuer: expect.stringMatching(/^O=SCS, CN=SCS instance [0-9a-f]{8}$/),
        names: [],
        fingerprint: authority.fingerprint256,
        validFrom: authority.validFromDate.toISOString(),
        validUntil: authority.validToDate.toISOString(),
        file: join(home, 'tls/ca.pem'),
        pem: authority.toString(),
      },
      expect.objectContaining({
        role: 'server',
        names: expect.arrayContaining(['localhost', '127.0.0.1', 'scs.example.org']) as string[],
        file: null,
        pem: null,
      }),
    ]);
  });

  it('works while the instance is stopped, and when it was killed', async () => {
    const one = await start();
    const running = JSON.parse((await call('--json')).stdout);
    await one.stop();
    app = undefined;
    const killed = JSON.parse((await call('--json')).stdout);
    await rm(join(home, 'endpoint.json'));
    const stopped = JSON.parse((await call('--json')).stdout);
    expect(killed).toEqual(stopped);
    expect(stopped.certificates[0]).toEqual(running.certificates[0]);
    expect(stopped.certificates[1]).toEqual({
      ...running.certificates[1],
      file: join(home, 'tls/server.pem'),
    });
  });

  it('shows the authorities of the site, or that clients need none', async () => {
    const authority = await CertificateAuthority.make();
    const made = await authority.issue();
    const path = (name: string): string => join(folder.path, name);
    await writeFile(path('cert.pem'), made.cert);
    await writeFile(path('key.pem'), made.key);
    await writeFile(path('ca.pem'), authority.cert);
    const site = { SCS_TLS_CERT_FILE: path('cert.pem'), SCS_TLS_KEY_FILE: path('key.pem') };
    const one = await start({ ...site, SCS_TLS_CA_FILE: path('ca.pem') });
    expect((await call('--pem')).stdout.trim()).toBe(authority.cert.trim());
    await one.stop();
    await start(site);
    const { stdout, stderr } = await call('--pem');
    expect([stdout, stderr]).toEqual(['', expect.stringContaining('no authority of its own')]);
    expect((await call()).stdout).toContain('names        localhost, 127.0.0.1');
  });

  it('says before the first start that there is none yet', async () => {
    await mkdir(home);
    const { status, stderr } = await call();
    expect([status, stderr]).toEqual([1, expect.stringContaining(`no certificate authority in ${home} yet`)]);
    expect(stderr).toContain('./scripts/up');
  });
});
