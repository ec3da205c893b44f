import { request } from 'undici';
import { describe, expect, it } from 'vitest';
import { createServer as createNetServer } from 'node:net';
import { freePort, startApp } from '../../support/app.js';

const env = { SCS_SERVICES: 'auth' };

describe('SCS_HTTP_PORT', () => {
  it('sends everybody to https with 307, whatever host they say', async () => {
    const port = await freePort();
    const app = await startApp({ modules: [], env: { ...env, SCS_HTTP_PORT: String(port) } });
    try {
      const answer = await request(`http://127.0.0.1:${port}/v1/x?a=b`, {
        method: 'POST',
        body: 'x',
        headers: { host: 'evil.example.org' },
      });
      expect(answer.statusCode).toBe(307);
      expect(answer.headers.location).toBe(`${app.url}/v1/x?a=b`);
      await answer.body.dump();
    } finally {
      await app.stop();
    }
  });
});

describe('SCS_INSECURE_HTTP', () => {
  it('speaks plain HTTP and believes the proxy on this machine', async () => {
    const app = await startApp({
      modules: [],
      env: { ...env, SCS_INSECURE_HTTP: 'yes', SCS_PUBLIC_URL: 'https://scs.example.org' },
    });
    try {
      const answer = await request(`http://127.0.0.1:${app.config.port}/version`, {
        headers: { 'x-forwarded-for': '192.0.2.1' },
      });
      expect(answer.statusCode).toBe(200);
      await answer.body.dump();
    } finally {
      await app.stop();
    }
  });
});

describe('a start', () => {
  it('says in one sentence that the port is taken', async () => {
    const other = createNetServer();
    await new Promise<void>((resolve) => {
      other.listen(0, '127.0.0.1', resolve);
    });
    const { port } = other.address() as { port: number };
    await expect(startApp({ modules: [], env: { ...env, SCS_PORT: String(port) } })).rejects.toThrow(
      `Port ${port} of 127.0.0.1 is taken by another program`,
    );
    other.close();
  });

  it('says in one sentence that the address is not one of this machine', async () => {
    await expect(startApp({ modules: [], env: { ...env, SCS_HOST: '192.0.2.1' } })).rejects.toThrow(
      'This machine has no address 192.0.2.1',
    );
  });
});
