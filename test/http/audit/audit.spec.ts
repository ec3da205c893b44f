import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import * as openpgp from 'openpgp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KeystoreModule } from '#apps/keystore/src/keystore.module';
import { LibraryModule } from '#apps/library/src/library.module';
import { verifyTrail } from '#libs/audit';
import { AuditClient, HttpClient } from '#libs/client';
import type { AuditEntry } from '#libs/contract';
import { type StartedApp, startApp } from '../../support/app.js';
import { auditEntries, waitForEntries } from '../../support/audit.js';
import { DATABASES, type TestDatabase } from '../../support/databases.js';
import { TestAuthority } from '../../support/tokens.js';
import { hashOf, StockClient, testImage } from '../library/world.js';

const short = ({ action, outcome, actor, subject }: AuditEntry): string =>
  `${action} ${outcome} ${actor?.username ?? '-'} ${subject.kind}:${subject.name}`;

describe.each(DATABASES)('the audit trail of library and keystore on $name', ({ open }) => {
  let app: StartedApp;
  let database: TestDatabase;
  let authority: TestAuthority;
  let admin: string;
  let ann: StockClient;
  let annId: string;
  let bob: StockClient;
  let image: Buffer;
  let privateKey: openpgp.PrivateKey;
  let key: string;
  let fingerprint: string;

  beforeAll(async () => {
    database = await open();
    authority = await TestAuthority.make();
    app = await startApp({
      modules: [LibraryModule, KeystoreModule, authority.module()],
      env: { SCS_SERVICES: 'library,keystore', SCS_AUTH_URL: 'https://localhost:1', ...database.env },
    });
    admin = await authority.token({ username: 'root', administrator: true });
    annId = 'a'.repeat(24);
    ann = new StockClient(app, await authority.token({ username: 'ann', claims: { jti: annId } }));
    bob = new StockClient(app, await authority.token({ username: 'bob' }));
    image = await testImage();
    const made = await openpgp.generateKey({
      userIDs: [{ name: 'Ann' }],
      date: new Date(Date.now() - 60_000),
      format: 'object',
      config: { v6Keys: false },
    });
    privateKey = made.privateKey;
    key = made.publicKey.armor();
    fingerprint = made.publicKey.getFingerprint();
  });
  afterAll(async () => {
    await app.stop();
    await database.stop();
  });

  const addKey = (token: string, keytext = key) =>
    app.request('/pks/add', {
      method: 'POST',
      token,
      headers: { 'content-type': 'application/x-www-form-urlencoded', 'user-agent': 'gpg/2.2' },
      body: new URLSearchParams({ keytext }).toString(),
    });

  it('says who pushed what, set and moved which tag, and deleted', async () => {
    const first = await ann.push('ann/tools/blast', image, { tags: ['1'] });
    const second = await testImage();
    const { id } = await ann.push('ann/tools/blast', second, { tags: ['1'] });
    // The same again changes nothing.
    await ann.tag(first.container, '1', id);
    await ann.push('ann/tools/blast', image, { tags: [] });
    expect((await ann.send('DELETE', '/v1/images/ann/tools/blast:1')).status).toBe(200);
    const entries = await waitForEntries(app, admin, 'actor=ann', 8);
    expect(entries.toReversed().map(short)).toEqual([
      'entity.create done ann entity:ann',
      'collection.create done ann collection:ann/tools',
      'container.create done ann container:ann/tools/blast',
      `image.push done ann image:ann/tools/blast@${hashOf(image)}`,
      'tag.set done ann tag:ann/tools/blast:1',
      `image.push done ann image:ann/tools/blast@${hashOf(second)}`,
      'tag.move done ann tag:ann/tools/blast:1',
      `image.delete done ann image:ann/tools/blast@${hashOf(second)}`,
    ]);
    expect(entries[1]).toMatchObject({
      service: 'library',
      actor: { account: authority.accountId('ann'), tokenId: annId, originTokenId: annId, via: null },
      address: '127.0.0.1',
      before: { digest: hashOf(image) },
      after: { digest: hashOf(second), arch: 'amd64' },
      reason: null,
    });
    expect(entries[0]).toMatchObject({ before: { digest: hashOf(second), size: second.length } });
    expect((await auditEntries(app, admin, 'subject=ann/tools/blast')).length).toBe(6);
    expect((await auditEntries(app, admin, 'subject=ann/tools/blast:1')).map(short)).toEqual([
      'tag.move done ann tag:ann/tools/blast:1',
      'tag.set done ann tag:ann/tools/blast:1',
    ]);
  });

  it('says with which token a build pushed, and which token of a person it came from', async () => {
    const origin = 'b'.repeat(24);
    const exchanged = await authority.token({
      username: 'carl',
      claims: {
        aud: 'library',
        origin,
        act: { sub: 'builder' },
        subject: { job: 'c'.repeat(24), container: 'carl/builds/one' },
      },
    });
    await new StockClient(app, exchanged).push('carl/builds/one', image, { tags: [] });
    const [entry] = await waitForEntries(app, admin, 'actor=carl&action=image.push', 1);
    expect(entry?.actor).toMatchObject({ originTokenId: origin, via: 'builder' });
    expect(entry?.actor?.tokenId).not.toBe(origin);
  });

  it('says who brought which key, and from where', async () => {
    const { token = '' } = ann;
    expect((await addKey(token)).status).toBe(200);
    expect((await addKey(token)).status).toBe(200);
    const { publicKey } = await openpgp.revokeKey({ key: privateKey, format: 'armored' });
    expect((await addKey(token, publicKey)).status).toBe(200);
    const entries = await waitForEntries(app, admin, 'service=keystore&actor=ann', 2);
    expect(entries[0]).toMatchObject({
      action: 'key.change',
      before: { digest: (entries[1]?.after ?? {})['digest'], revoked: false },
      after: { revoked: true },
    });
    expect(entries[1]).toMatchObject({
      action: 'key.add',
      client: 'gpg/2.2',
      subject: { kind: 'key', name: fingerprint },
      before: null,
      after: { digest: expect.stringMatching(/^sha256\.[0-9a-f]{64}$/), revoked: false },
    });
  });

  it('says what was refused to whom, and why: by scope, by policy, by what is hidden, by a token that is good no more', async () => {
    const count = (await auditEntries(app, admin, 'outcome=refused')).length;
    expect(count).toBe(0);
    const weak = await authority.token({ username: 'dora', scopes: ['library:read'] });
    expect((await addKey(weak)).status).toBe(403);
    expect((await bob.push('ann/tools/blast', image).catch(() => undefined))?.id).toBeUndefined();
    const gina = new StockClient(app, await authority.token({ username: 'gina' }));
    await gina.entity('gina', { defaultPrivate: true });
    await gina.push('gina/own/thing', image, { tags: ['1'] });
    expect((await bob.send('DELETE', '/v1/images/gina/own/thing:1')).status).toBe(404);
    expect((await bob.send('DELETE', `/v1/images/ann/tools/blast:${hashOf(image)}`)).status).toBe(403);
    const old = await authority.token({ username: 'emil', claims: { exp: 1_700_000_000 } });
    expect((await addKey(old)).status).toBe(401);
    const revoked = 'd'.repeat(24);
    const ended = await authority.token({ username: 'finn', claims: { jti: revoked } });
    authority.revoke(revoked);
    await expect.poll(async () => (await addKey(ended)).status).toBe(401);
    // Who is nobody, and what only reads, is not recorded.
    expect((await addKey('nonsense')).status).toBe(401);
    expect((await app.request('/v1/entities/nobody', { token: weak })).status).toBe(404);
    // How often finn was asked to wait is not known; each service has its own chain.
    const seen = async (): Promise<string[]> => {
      const entries = await auditEntries(app, admin, 'outcome=refused');
      return [...new Set(entries.map((entry) => `${short(entry)} ${entry.reason}`))].toSorted();
    };
    await expect
      .poll(seen, { timeout: 10_000 })
      .toEqual(
        [
          'key.add refused dora request:/pks/add scope_missing',
          'entity.create refused bob entity:ann not_owner',
          'image.delete refused bob container:gina/own/thing image_not_found',
          'image.delete refused bob container:ann/tools/blast not_owner',
          'key.add refused emil request:/pks/add token_expired',
          'key.add refused finn request:/pks/add token_revoked',
        ].toSorted(),
      );
  });

  it('is read by administrators alone', async () => {
    for (const path of ['/v1/audit', '/v1/audit/heads']) {
      expect((await app.request(path)).status).toBe(401);
      expect((await app.request(path, { token: ann.token ?? '' })).status).toBe(403);
      const weak = await authority.token({
        username: 'root',
        administrator: true,
        scopes: ['library:read'],
      });
      expect((await app.request(path, { token: weak })).status).toBe(403);
      expect((await app.request(path, { token: admin })).status).toBe(200);
    }
  });

  it('is listed over both services, newest first, page by page', async () => {
    const all = await auditEntries(app, admin);
    expect(new Set(all.map(({ service }) => service))).toEqual(new Set(['library', 'keystore']));
    expect(all.map(({ time }) => time)).toEqual(
      all
        .map(({ time }) => time)
        .toSorted()
        .toReversed(),
    );
    for (const limit of [1, 3, 7]) {
      const paged: AuditEntry[] = [];
      let cursor: string | undefined;
      do {
        const more = cursor === undefined ? '' : `&cursor=${cursor}`;
        const { body } = await app.request(`/v1/audit?limit=${limit}${more}`, { token: admin });
        paged.push(...(body.data as AuditEntry[]));
        expect(body.data.length).toBeLessThanOrEqual(limit);
        cursor = body.page?.next;
      } while (cursor !== undefined);
      const names = (entries: readonly AuditEntry[]) =>
        entries.map((entry) => `${entry.service}${entry.sequence}`).toSorted();
      expect(names(paged)).toEqual(names(all));
    }
  });

  it.each([
    ['service=web', 'service'],
    ['action=image.pull', 'action'],
    ['limit=501', 'limit'],
    ['since=yesterday', 'since'],
    ['after=0', 'Expected service'],
    ['after=0&service=library&actor=ann', 'Expected service'],
    ['cursor=x', 'cursor'],
    [`cursor=${Buffer.from('{"library":{"$gt":""}}').toString('base64url')}`, 'cursor'],
    [`service=library&after=0&cursor=${Buffer.from('["byTime","x","y"]').toString('base64url')}`, 'cursor'],
  ])('refuses the query %s', async (query, part) => {
    const { status, body } = await app.request(`/v1/audit?${query}`, { token: admin });
    expect([status, body.error.message]).toEqual([400, expect.stringContaining(part)]);
  });

  it('says which service it has not', async () => {
    expect((await app.request('/v1/audit?service=builder', { token: admin })).body.data).toEqual([]);
    const { status, body } = await app.request('/v1/audit?service=builder&after=0', { token: admin });
    expect([status, body.error.reason]).toEqual([404, 'service_not_here']);
  });

  it('is verified over HTTP, with heads in a file of its own beside the database', async () => {
    const http = new HttpClient({ baseUrl: app.url, ca: app.ca, token: admin, userAgent: 'test' });
    const client = new AuditClient(http);
    for (const service of ['library', 'keystore'] as const) {
      await expect
        .poll(async () => {
          const report = await verifyTrail(client.source(service), { now: new Date() });
          return [report.problems, report.last.sequence - report.signedUpTo];
        })
        .toEqual([[], 0]);
      const folder = join(app.home, 'data', service, 'audit');
      for (const file of ['heads.jsonl', 'head-key.json'])
        expect((await stat(join(folder, file))).mode & 0o777).toBe(0o600);
      expect((await client.newestHeads(service)).length).toBe(1);
    }
    await http.close();
  });

  it('holds nothing of a token, wherever somebody has put one', async () => {
    const { token = '' } = ann;
    const request = (method: string, path: string) =>
      app.request(path, { method, token, headers: { 'user-agent': `curl ${token}` } });
    expect((await request('DELETE', `/v1/images/ann/tools/blast:${token.slice(0, 160)}`)).status).toBe(400);
    expect((await request('DELETE', `/v1/images/${token}`)).status).toBe(400);
    expect((await request('DELETE', `/v1/images/ann/tools/x?token=${token}`)).status).toBe(404);
    await waitForEntries(app, admin, 'outcome=refused&actor=ann', 3);
    const text = JSON.stringify(await auditEntries(app, admin));
    expect(text).toContain('curl ***');
    const log = await readFile(join(app.home, 'log', 'test.log'), 'utf8');
    for (const place of [text, log]) expect(place).not.toContain(token.slice(0, 40));
  });
});
