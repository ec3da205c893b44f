import { describe, expect, it } from 'vitest';
import { HttpClient } from '../http.js';
import { closeServers, serve } from '../testing/servers.js';
import { LibraryClient } from './libraryClient.js';
import { protocolOf } from './versions.js';

describe('protocolOf (library contract §2.4)', () => {
  it.each([
    [undefined, false, false],
    ['v2.0.0', false, false],
    ['2.0', false, false],
    ['1.9.9', false, false],
    ['2.0.0-alpha', false, false],
    ['2.0.0-alpha.0', false, false],
    ['2.0.0-alpha.1', true, false],
    ['2.0.0-alpha.2', true, true],
    ['2.0.0-beta', true, true],
    ['2.0.0', true, true],
    ['2.1.0-alpha.1', true, true],
    ['3.0.0', true, true],
  ])('%s', (version, signedUploads, archTags) => {
    expect(protocolOf(version)).toEqual({ signedUploads, archTags });
  });
});

it('asks what a server offers without its token: one for the library alone would be refused there', async () => {
  const baseUrl = await serve((request, response) => {
    const offered = { data: { version: '1', apiVersion: '2.0.0' } };
    const refused = { error: { code: 401, message: 'The token is not meant for this service' } };
    response.end(JSON.stringify(request.headers.authorization === undefined ? offered : refused));
  });
  const client = new LibraryClient(new HttpClient({ baseUrl, token: 'exchanged', userAgent: 'test' }));
  expect(await client.protocol()).toEqual({ signedUploads: true, archTags: true });
  await closeServers();
});
