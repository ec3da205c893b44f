import { WebModule } from '#apps/web/src/web.module';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type StartedApp, startApp } from '../../support/app.js';
import { TestAuthority } from '../../support/tokens.js';

describe('the web pages', () => {
  let app: StartedApp;
  beforeAll(async () => {
    const authority = await TestAuthority.make();
    const elsewhere = 'https://localhost:1';
    app = await startApp({
      modules: [WebModule, authority.module()],
      env: {
        SCS_SERVICES: 'web',
        SCS_AUTH_URL: elsewhere,
        SCS_KEYSTORE_URL: elsewhere,
        SCS_LIBRARY_URL: elsewhere,
        SCS_BUILDER_URL: elsewhere,
      },
    });
  });
  afterAll(() => app.stop());

  it.each(['/', '/library/ann/tools/blast'])('%s is HTML that runs no script', async (path) => {
    const answer = await app.request(path);
    expect([answer.status, answer.headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
    expect(answer.headers['content-security-policy']).toContain("default-src 'none'");
    expect(answer.body).not.toContain('<script');
  });

  it('the page of a container says how to pull it', async () => {
    expect((await app.request('/library/ann/tools/blast')).body).toContain(
      'sing pull library://ann/tools/blast',
    );
  });

  it.each([
    ['/library/ann/tools/blast:1.2', 'blast:1.2', 'blast_1.2.sif'],
    ['/library/ann/tools/blast:1.2,latest', 'blast:1.2', 'blast_1.2.sif'],
    ['/library/ann/tools/blast:latest', 'blast', 'blast_latest.sif'],
  ])('%s, which a detached build prints, says how to pull that image', async (path, reference, file) => {
    const { status, body } = await app.request(path);
    expect(status).toBe(200);
    expect(body).toContain(`sing pull library://ann/tools/${reference}\n`);
    expect(body).toContain(`sing verify ${file}<`);
  });

  it('leads people who want a token to the auth service', async () => {
    const { status, headers } = await app.request('/auth/tokens');
    expect([status, headers['location']]).toEqual([303, 'https://localhost:1/auth/account']);
  });

  it.each([
    '/library/a/b/%3Cscript%3E',
    '/library/a/b/C',
    '/library/a/b/c:%3Cscript%3E',
    '/library/h/a/b%2Fc',
  ])('%s is a page that says that there is none', async (path) => {
    const { status, headers, body } = await app.request(path);
    expect([status, headers['content-type']]).toEqual([404, 'text/html; charset=utf-8']);
    expect(headers['content-security-policy']).toContain("default-src 'none'");
    expect(body).toContain('There is no page at this address');
    expect(body).not.toContain('<script');
  });

  it.each(['/library/a/b', '/pks', '/v1/nothing'])('%s is a plain 404, never a page', async (path) => {
    const answer = await app.request(path);
    expect([answer.status, answer.body.error?.code]).toEqual([404, 404]);
  });

  it('the start page refuses a credential that is not good, so that a key server login tells the truth', async () => {
    expect((await app.request('/', { token: 'bad' })).status).toBe(401);
  });
});
