import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Issuer } from '#apps/auth/src/issuer';
import type { AuditEntry } from '#libs/contract';
import { systemClock } from '#libs/core';
import { ServiceKey } from '#libs/server';
import { auditEntries, waitForEntries } from '../../support/audit.js';
import { DATABASES, type TestDatabase } from '../../support/databases.js';
import { PASSWORD, World } from '../auth/world.js';

const WRONG = 'a wrong password, typed by ann';

const short = ({ action, outcome, actor, subject, reason }: AuditEntry): string =>
  `${action} ${outcome}${reason === null ? '' : `(${reason})`} by ${actor?.username ?? 'nobody'}: ${subject.kind} ${subject.name}`;

describe.each(DATABASES)('the audit trail of auth on $name', ({ open }) => {
  let database: TestDatabase;
  let world: World;
  beforeAll(async () => {
    database = await open();
    world = await World.start(database);
    world.app.secrets.add('a wrong password', WRONG);
    world.app.secrets.add(
      'the first password',
      (await readFile(join(world.app.home, 'admin.password'), 'utf8')).trim(),
    );
    world.app.secrets.addFrom({ token: world.admin }, undefined);
  });
  afterAll(async () => {
    await world.app.stop();
    await database.stop();
  });

  /** The entries that come of some work, oldest first. */
  const during = async (query: string, expected: number, work: () => Promise<unknown>) => {
    // What was done before has its entry before this millisecond.
    const begin = Date.now() + 1;
    while (Date.now() < begin) await new Promise(setImmediate);
    await work();
    const since = new Date(begin).toISOString();
    return (await waitForEntries(world.app, world.admin, `${query}&since=${since}`, expected)).toReversed();
  };

  it('begins with what the first start made', async () => {
    const entries = await waitForEntries(world.app, world.admin, 'until=2999-01-01T00:00:00Z', 3);
    const lines = entries.map(short).toSorted();
    expect(lines[0]).toBe('account.create done by nobody: account admin');
    expect(lines[1]).toMatch(/^signing-key\.publish done by nobody: signing-key [\w-]{43}$/);
    expect(lines[2]).toMatch(/^token\.create done by nobody: token [0-9a-f]{24}$/);
  });

  it('says who made an account, changed its rights and its password', async () => {
    const user = await world.user({ email: 'ann@example.org' });
    await world.token(user);
    const entries = await during(`subject=${user}`, 4, async () => {
      await world.expect(world.send('PATCH', `/users/${user}`, { json: { administrator: true } }));
      // The same again changes nothing.
      await world.expect(world.send('PATCH', `/users/${user}`, { json: { administrator: true } }));
      const json = { password: 'another correct horse', revokeTokens: true };
      await world.expect(world.send('PUT', `/users/${user}/password`, { as: { user }, json }));
      await world.expect(world.send('PATCH', `/users/${user}`, { json: { disabled: true } }));
    });
    expect(entries.map(short)).toEqual([
      `account.change done by admin: account ${user}`,
      `password.check done by ${user}: account ${user}`,
      `password.change done by ${user}: account ${user}`,
      `account.change done by admin: account ${user}`,
    ]);
    expect(entries[0]).toMatchObject({
      before: { name: user, email: 'ann@example.org', administrator: false, disabled: false },
      after: { administrator: true },
      address: '127.0.0.1',
    });
    expect(entries[2]).toMatchObject({ actor: { tokenId: 'password' }, after: { tokens: 1 } });
  });

  it('says which tokens were made, with which rights, and ended by whom', async () => {
    const user = await world.user();
    const entries = await during(`actor=${user}`, 2, () => world.token(user, { name: 'laptop' }));
    const { name: id } = entries[1]?.subject ?? { name: '' };
    expect(entries.map(short)).toEqual([
      `password.check done by ${user}: account ${user}`,
      `token.create done by ${user}: token ${id}`,
    ]);
    expect(entries[1]?.after).toMatchObject({
      username: user,
      name: 'laptop',
      scopes: ['library:read', 'library:write', 'build'],
    });
    const ended = await during(`subject=${id}`, 1, async () => {
      await world.expect(world.send('DELETE', `/tokens/${id}`));
      await world.expect(world.send('DELETE', `/tokens/${id}`));
    });
    expect(ended.map(short)).toEqual([`token.revoke done by admin: token ${id}`]);
    expect(ended[0]).toMatchObject({ before: { username: user, name: 'laptop' } });
  });

  it('says who belongs to an organisation, as what, and which robots it has', async () => {
    const [olga, ann] = [await world.user(), await world.user()];
    let name = '';
    let robot = '';
    const entries = await during('actor=admin', 7, async () => {
      name = await world.organisation(olga, { [ann]: 'reader' });
      await world.expect(
        world.send('PUT', `/organisations/${name}/members/${ann}`, { json: { role: 'writer' } }),
      );
      await world.expect(world.send('DELETE', `/organisations/${name}/members/${ann}`));
      robot = (await world.robot(name)).username;
      await world.expect(world.send('PATCH', `/organisations/${name}`, { json: { disabled: true } }));
    });
    const tokenId = entries[5]?.subject.name ?? '';
    expect(entries.map(short)).toEqual([
      `organisation.create done by admin: organisation ${name}`,
      `member.set done by admin: member ${name}/${ann}`,
      `member.set done by admin: member ${name}/${ann}`,
      `member.remove done by admin: member ${name}/${ann}`,
      `robot.create done by admin: robot ${robot}`,
      `token.create done by admin: token ${tokenId}`,
      `organisation.change done by admin: organisation ${name}`,
    ]);
    expect(entries.map(({ before, after }) => [before, after])).toMatchObject([
      [null, { username: olga, role: 'owner' }],
      [null, { role: 'reader' }],
      [{ role: 'reader' }, { role: 'writer' }],
      [{ role: 'writer' }, null],
      [null, { role: 'writer', disabled: false }],
      [null, { username: robot }],
      [{ disabled: false }, { disabled: true }],
    ]);
  });

  it('says who could not sign in, and never what was typed for a name that nobody has', async () => {
    const user = await world.user();
    const entries = await during('action=password.check&outcome=refused', 3, async () => {
      expect((await world.createToken(user, {}, WRONG)).status).toBe(401);
      // As happens to people: the password where the name belongs.
      expect((await world.createToken('correct-horse-battery', {}, WRONG)).status).toBe(401);
      expect((await world.createToken('No Name At All', {}, WRONG)).status).toBe(401);
    });
    expect(entries.map(short)).toEqual([
      `password.check refused(password_wrong) by nobody: account ${user}`,
      'password.check refused(password_wrong) by nobody: account -',
      'password.check refused(password_wrong) by nobody: account -',
    ]);
    expect(entries[0]).toMatchObject({ address: '127.0.0.1', actor: null });
  });

  it('says what was refused to whom', async () => {
    const user = await world.user();
    const { token, id } = await world.token(user);
    const entries = await during(`actor=${user}&outcome=refused`, 3, async () => {
      expect((await world.send('POST', '/users', { as: { token }, json: {} })).status).toBe(403);
      expect(
        (await world.send('POST', '/tokens', { as: { token }, json: { name: 'x', scopes: ['build'] } }))
          .status,
      ).toBe(403);
      expect((await world.send('DELETE', `/tokens/${'a'.repeat(24)}`, { as: { token } })).status).toBe(404);
    });
    expect(entries.map(short)).toEqual([
      `account.create refused(scope_missing) by ${user}: request /v1/auth/users`,
      `token.create refused(password_needed) by ${user}: request /v1/auth/tokens`,
      `token.revoke refused(token_not_found) by ${user}: request /v1/auth/tokens/${'a'.repeat(24)}`,
    ]);
    expect(entries[0]?.actor?.tokenId).toBe(id);
  });

  it('says who signed in to the pages, what they did there, and when they signed out', async () => {
    const user = await world.user();
    const form = (path: string, fields: Record<string, string>, cookie = '') =>
      world.app.request(path, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded', origin: world.app.url, cookie },
        body: new URLSearchParams(fields).toString(),
      });
    const entries = await during(`actor=${user}`, 5, async () => {
      const signedIn = await form('/auth/sign-in', { username: user, password: PASSWORD });
      const [cookie = ''] = String(signedIn.headers['set-cookie']).split(';');
      const { body } = await world.app.request('/auth/account', { headers: { cookie } });
      const proof = /name="proof" value="([\w-]+)"/.exec(String(body))?.[1] ?? '';
      const wanted = { proof, name: 'web', days: '30', place: '' };
      expect((await form('/auth/account/tokens', { ...wanted, build: 'on' }, cookie)).status).toBe(200);
      expect((await form('/auth/account/tokens', { ...wanted, admin: 'on' }, cookie)).status).toBe(403);
      await form('/auth/sign-out', { proof }, cookie);
    });
    const made = entries[2]?.subject.name ?? '';
    expect(entries.map(short)).toEqual([
      `password.check done by ${user}: account ${user}`,
      `session.open done by ${user}: account ${user}`,
      `token.create done by ${user}: token ${made}`,
      `token.create refused(scope_not_grantable) by ${user}: request /auth/account/tokens`,
      `session.close done by ${user}: account ${user}`,
    ]);
    expect(entries.map(({ address }) => address)).toEqual(Array.from(entries, () => '127.0.0.1'));
  });

  it('says which service exchanged whose token for what, and what it did not get', async () => {
    const key = await ServiceKey.open({
      service: 'builder',
      dataFolder: world.app.config.dataFolder('builder'),
      home: world.app.home,
      clock: systemClock,
    });
    const user = await world.user();
    const { token, id } = await world.token(user);
    const proof = () => key.assertion(world.app.get(Issuer).name);
    const exchange = async (scope: string, client_assertion?: string) =>
      world.app.request('/v1/auth/token', {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded', 'user-agent': 'scs/0.1.0' },
        body: new URLSearchParams({
          grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
          subject_token: token,
          subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
          client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
          client_assertion: client_assertion ?? (await proof()),
          audience: 'library',
          scope,
          job: 'b1',
          container: `${user}/builds/one`,
          lifetime: '600',
        }).toString(),
      });
    const captured = await proof();
    const entries = await during('action=token.exchange', 4, async () => {
      expect((await exchange('library:write', captured)).status).toBe(200);
      expect((await exchange('keystore:write')).status).toBe(403);
      // By whom nobody knows: whose token it was is known.
      expect((await exchange('library:write', captured)).status).toBe(401);
      await world.expect(world.send('DELETE', `/tokens/${id}`));
      expect((await exchange('library:write')).status).toBe(401);
    });
    expect(entries.map(({ outcome, reason }) => [outcome, reason])).toEqual([
      ['done', null],
      ['refused', 'exchange_not_allowed'],
      ['refused', 'client_assertion_invalid'],
      ['refused', 'token_revoked'],
    ]);
    for (const { actor, reason } of entries)
      expect(actor).toMatchObject({
        username: user,
        tokenId: id,
        via: reason === 'client_assertion_invalid' ? null : 'builder',
      });
    expect(entries[0]).toMatchObject({
      client: 'scs/0.1.0',
      after: { audience: 'library', job: 'b1', place: `${user}/builds/one`, username: user },
    });
    expect(entries[0]?.subject.name).not.toBe(id);
  });

  it('holds no token and no password of all that', async () => {
    expect(world.app.secrets.size).toBeGreaterThan(10);
    expect(world.app.secrets.leaksIn(JSON.stringify(await auditEntries(world.app, world.admin)))).toEqual([]);
    expect(JSON.stringify(await auditEntries(world.app, world.admin))).not.toContain('correct-horse-battery');
  });
});
