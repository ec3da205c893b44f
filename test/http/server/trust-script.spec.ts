import { writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { AuthModule } from '#apps/auth/src/auth.module';
import { BuilderModule } from '#apps/builder/src/builder.module';
import { KeystoreModule } from '#apps/keystore/src/keystore.module';
import { LibraryModule } from '#apps/library/src/library.module';
import { WebModule } from '#apps/web/src/web.module';
import { startApp } from '../../support/app.js';
import { certificate } from '../../support/certificate.js';
import { run } from '../../support/run.js';
import { temporaryFolder } from '../../support/temporary.js';
import { CHECKOUT } from '../../support/up.js';

const MODULES = [AuthModule, KeystoreModule, LibraryModule, BuilderModule, WebModule];

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeEach(async () => {
  folder = await temporaryFolder();
});
afterEach(() => folder.remove());

function ask(url: string, ca: string) {
  const file = join(folder.path, 'ca.pem');
  writeFileSync(file, ca);
  const words = [join(CHECKOUT, 'scripts/trust.mjs'), url, '--ca', file];
  return run(process.execPath, words, { cwd: folder.path, env: { PATH: process.env['PATH'] ?? '' } });
}

it('scripts/trust.mjs finds nothing in an instance, and lists what anybody may ask with its reason', async () => {
  const app = await startApp({
    modules: MODULES,
    env: { SCS_SERVICES: 'auth,keystore,library,builder,web' },
  });
  const { status, stdout, stderr } = await ask(app.url, app.ca);
  await app.stop();
  expect([status, stderr]).toEqual([0, '']);
  expect(stdout).toMatch(/^auth at https:\/\/localhost:\d+: 2\d routes need a token, \d+ do not$/m);
  for (const service of ['keystore', 'library', 'builder', 'web']) expect(stdout).toContain(`${service} at `);
  expect(stdout).toContain('  GET /.well-known/jwks.json: public keys, for everybody who checks tokens');
  expect(stdout).toContain('  GET /version: ');
  expect(stdout).toContain('ok: nothing else is answered without a token');
});

it('and ends with 1 where something is answered that is not in the table', async () => {
  const { key, cert } = await certificate('localhost');
  const asked: (string | undefined)[] = [];
  const server = createServer({ key, cert }, (request, response) => {
    const url = `https://localhost:${(server.address() as AddressInfo).port}`;
    const path = request.url ?? '';
    response.setHeader('content-type', 'application/json');
    if (path.startsWith('/assets/'))
      response.end(
        JSON.stringify(
          Object.fromEntries(
            ['token', 'keystore', 'library', 'builder'].map((name) => [`${name}API`, { uri: url }]),
          ),
        ),
      );
    else if (path === '/docs/library.json')
      response.end(JSON.stringify({ paths: { '/v1/everything/{id}': { get: {}, delete: {} } } }));
    else if (path === '/.well-known/jwks.json') response.end('{"issuer":"urn:scs:x","keys":[{"kid":"one"}]}');
    else if (path.startsWith('/docs/')) response.end('{"paths":{}}');
    else if (request.method === 'GET' && path.startsWith('/v1/everything/')) {
      asked.push(request.headers.authorization?.slice(0, 10));
      response.end('{"data":"of somebody"}');
    } else response.writeHead(401).end('{}');
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { status, stderr } = await ask(`https://localhost:${(server.address() as AddressInfo).port}`, cert);
  server.close();
  server.closeAllConnections();
  expect(status).toBe(1);
  expect(stderr).toContain(
    'FAULT: library: GET /v1/everything/{id} without a token is answered by 200 {"data":"of somebody"}',
  );
  expect(stderr).toContain(
    'GET /v1/everything/{id} with a token that the instance did not sign is answered by 200',
  );
  expect(stderr).not.toContain('DELETE');
  expect(asked).toEqual([undefined, 'Bearer eyJ']);
});
