import { createHash, X509Certificate } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DISCOVERY_PATH, DiscoveryDocument } from '#libs/contract';
import { startApp, type StartedApp } from '../../support/app.js';
import { WebModule } from '../../../apps/web/src/web.module.js';

const ELSEWHERE = {
  SCS_SERVICES: 'web',
  SCS_AUTH_URL: 'https://auth.example.org/',
  SCS_KEYSTORE_URL: 'https://keys.example.org',
  SCS_LIBRARY_URL: 'https://library.example.org:8443',
  SCS_BUILDER_URL: 'https://example.org/builder/',
};

describe('the front end', () => {
  let app: StartedApp;
  beforeAll(async () => {
    app = await startApp({ modules: [WebModule], env: ELSEWHERE });
  });
  afterAll(() => app.stop());

  it('tells clients where the services are: objects only, no slash at an end, one key server', async () => {
    const answer = await app.request(DISCOVERY_PATH);
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({
      libraryAPI: { uri: 'https://library.example.org:8443' },
      keystoreAPI: { uri: 'https://keys.example.org' },
      tokenAPI: { uri: 'https://auth.example.org' },
      builderAPI: { uri: 'https://example.org/builder' },
    });
    expect(DiscoveryDocument.safeParse(answer.body).success).toBe(true);
  });

  it('has a start page that says what it is and what to type', async () => {
    const { status, headers, body } = await app.request('/');
    expect(status).toBe(200);
    expect(headers['content-type']).toBe('text/html; charset=utf-8');
    expect(body).toContain(`sing remote add site ${app.url}`);
    expect(body).toContain('/ca.pem');
    expect(body).toContain(new X509Certificate(await caOf(app)).fingerprint256);
  });

  it('allows its pages the one style sheet that is in them, and no script', async () => {
    for (const path of ['/', '/library/ann/tools/blast']) {
      const { headers, body } = await app.request(path);
      const style = /<style>([^]*)<\/style>/.exec(body)?.[1] ?? '';
      const hash = createHash('sha256').update(style).digest('base64');
      expect(headers['content-security-policy']).toContain(`style-src 'sha256-${hash}'`);
      expect(headers['content-security-policy']).toContain("default-src 'none'");
      expect(body).not.toMatch(/<script|style=|\son\w+=|https?:\/\/(?!localhost|auth|keys|library|example)/);
    }
  });

  it('describes its routes, and says which descriptions there are', async () => {
    const { status, body } = await app.request('/docs/web.json');
    expect([status, body.openapi, body.info.title]).toEqual([200, '3.1.0', 'SCS web']);
    expect(Object.keys(body.paths)).toContain('/library/{entity}/{collection}/{container}');
    for (const path of ['/docs/web', '/docs/library.json', '/docs/../web.json', '/docs/'])
      expect((await app.request(path)).status).toBe(404);
    expect((await app.request('/docs/none.json')).body.error.message).toBe(
      'Expected one of /docs/web.json, /docs/system.json',
    );
  });

  it('hands out the authority, and nothing secret with it', async () => {
    const { status, headers, body } = await app.request('/ca.pem');
    expect(status).toBe(200);
    expect(headers['content-disposition']).toContain('scs-ca.pem');
    expect(body).toMatch(/^-----BEGIN CERTIFICATE-----/);
    expect(body).not.toContain('PRIVATE');
  });

  it('has nothing at other addresses: no page instead of a 404', async () => {
    for (const path of ['/v1/nothing', '/v2/', '/assets/config/config.prod.json/', '/index.html'])
      expect((await app.request(path)).status).toBe(404);
  });
});

async function caOf(app: StartedApp): Promise<string> {
  return (await app.request('/ca.pem')).body as string;
}

describe('behind a proxy with plain HTTP', () => {
  it('there is no authority to hand out', async () => {
    const app = await startApp({
      modules: [WebModule],
      env: { ...ELSEWHERE, SCS_INSECURE_HTTP: 'yes', SCS_PUBLIC_URL: 'https://scs.example.org' },
    });
    const get = (path: string): Promise<Response> => fetch(`http://127.0.0.1:${app.config.port}${path}`);
    try {
      expect((await get('/ca.pem')).status).toBe(404);
      const page = await (await get('/')).text();
      expect(page).not.toContain('ca.pem');
      expect(page).toContain('singularity remote add site scs.example.org');
    } finally {
      await app.stop();
    }
  });
});
