import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Controller, Get, Headers, Module } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Anonymous, InternalClient, SelfAuthenticated } from '#libs/server';
import { startApp, type StartedApp } from '../../support/app.js';
import { CertificateAuthority, type TestCertificate } from '../../support/certificates.js';
import { temporaryFolder } from '../../support/temporary.js';
import { freePort } from '../../support/ports.js';
import { EXAMPLE_ROUTES, ExampleModule } from './example.js';

@Controller()
class MirrorController {
  @Get('example/mirror')
  @SelfAuthenticated()
  mirror(@Headers() headers: Record<string, string>): object {
    return { authorization: headers.authorization ?? null, host: headers.host };
  }

  @Get('example/text')
  @Anonymous()
  text(): string {
    return 'x'.repeat(100);
  }
}

@Module({ controllers: [MirrorController] })
class MirrorModule {}

describe('a call from one service to another', () => {
  let app: StartedApp;
  let client: InternalClient;
  beforeAll(async () => {
    app = await startApp({
      modules: [ExampleModule, MirrorModule],
      alsoOpen: [...EXAMPLE_ROUTES, 'GET /example/mirror', 'GET /example/text'],
      // Nobody answers at the public URL: only the short way to the own port can work.
      env: {
        SCS_SERVICES: 'auth,keystore',
        SCS_PUBLIC_URL: 'https://scs.example.org',
        SCS_KEYSTORE_URL: `https://127.0.0.1:${await freePort()}`,
      },
    });
    client = app.get(InternalClient);
  });
  afterAll(() => app.stop());

  it('to the own process takes the short way, under the public name', async () => {
    const answer = await client.call({ service: 'auth', path: '/example/mirror', token: undefined });
    expect(answer.body).toEqual({ authorization: null, host: 'scs.example.org' });
  });

  it('carries the token that was given for it, and none by itself', async () => {
    const answer = await client.call({ service: 'auth', path: '/example/mirror', token: 'abc' });
    expect(answer.body).toMatchObject({ authorization: 'Bearer abc' });
  });

  it('sends JSON and reads it', async () => {
    const call = { service: 'auth', method: 'POST', path: '/example/body', token: undefined } as const;
    expect((await client.call({ ...call, json: { name: 'a' } })).body).toEqual({ data: { name: 'a' } });
  });

  it('that is refused is refused here with the same code, message and reason', async () => {
    await expect(
      client.call({ service: 'auth', path: '/example/fail/known', token: undefined }),
    ).rejects.toMatchObject({
      code: 'conflict',
      message: 'Somebody was faster',
      reason: 'too_late',
    });
  });

  it('to a service that is not there says which, and where it was looked for', async () => {
    await expect(client.call({ service: 'keystore', path: '/', token: undefined })).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(
        /^keystore cannot be reached at https:\/\/127\.0\.0\.1:\d+ \(ECONNREFUSED\)$/,
      ),
    });
  });

  it('that is answered with something else than JSON is an error and no crash', async () => {
    await expect(
      client.call({ service: 'auth', path: '/example/text', token: undefined }),
    ).rejects.toMatchObject({
      code: 'unavailable',
    });
  });

  it('ends when its time is over or its signal says so', async () => {
    const slow = { service: 'auth', path: '/example/hang', token: undefined } as const;
    await expect(client.call({ ...slow, timeout: 50 })).rejects.toMatchObject({ code: 'unavailable' });
    await expect(client.call({ ...slow, signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow(
      'enough',
    );
  });
});

describe('two processes with authorities of their own', () => {
  it('trust each other through SCS_TLS_CA_FILE and not without', async () => {
    const other = await startApp({ modules: [], env: { SCS_SERVICES: 'auth' } });
    const env = { SCS_SERVICES: 'keystore', SCS_AUTH_URL: other.url };
    const trusting = await startApp({
      modules: [],
      env: { ...env, SCS_TLS_CA_FILE: `${other.home}/tls/ca.pem` },
    });
    const strange = await startApp({ modules: [], env });
    const call = { service: 'auth', path: '/version', token: undefined } as const;
    try {
      expect((await trusting.get(InternalClient).call(call)).status).toBe(200);
      await expect(strange.get(InternalClient).call(call)).rejects.toThrow(
        /^auth at https:\/\/localhost:\d+ is not trusted: its certificate comes from an authority that is not trusted here$/,
      );
    } finally {
      await Promise.all([trusting.stop(), strange.stop()]);
      await other.stop();
    }
  });
});

describe('a service whose certificate is no good says why, and what helps', () => {
  it.each<[string, string, string, (authority: CertificateAuthority) => Promise<TestCertificate>]>([
    [
      'expired',
      'its certificate has expired',
      'Renew it there',
      (one) => one.issue(undefined, { until: -0.5 }),
    ],
    [
      'not valid yet',
      'its certificate is not valid yet',
      'Set the clock',
      (one) => one.issue(undefined, { from: 1 }),
    ],
    [
      'of other names',
      'its certificate is good for other names (a.example.org, 192.0.2.1)',
      'Use one of its names in the address',
      (one) => one.issue(['a.example.org', '192.0.2.1']),
    ],
    [
      'of an authority that is not trusted',
      'its certificate comes from an authority that is not trusted here',
      'Name that authority in SCS_TLS_CA_FILE',
      async () => (await CertificateAuthority.make()).issue(),
    ],
  ])('%s', async (_, why, remedy, issue) => {
    const authority = await CertificateAuthority.make();
    const folder = await temporaryFolder();
    const caFile = join(folder.path, 'ca.pem');
    await writeFile(caFile, authority.cert);
    const other = createServer(await issue(authority)).listen(0, '127.0.0.1');
    await once(other, 'listening');
    const url = `https://localhost:${(other.address() as AddressInfo).port}`;
    const app = await startApp({
      modules: [],
      env: { SCS_SERVICES: 'auth', SCS_LIBRARY_URL: url, SCS_TLS_CA_FILE: caFile },
    });
    try {
      await expect(
        app.get(InternalClient).call({ service: 'library', path: '/x', token: undefined }),
      ).rejects.toMatchObject({
        code: 'unavailable',
        reason: 'service_not_trusted',
        message: `library at ${url} is not trusted: ${why}`,
        remedy: expect.stringContaining(remedy) as string,
      });
    } finally {
      other.close();
      await app.stop();
      await folder.remove();
    }
  });
});
