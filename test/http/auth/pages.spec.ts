import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AuthModule } from '#apps/auth/src/auth.module';
import { WebModule } from '#apps/web/src/web.module';
import { SessionsService } from '#apps/auth/src/sessions.service';
import { SessionsStore } from '#apps/auth/src/sessions.store';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type AppAnswer, type StartedApp, startApp } from '../../support/app.js';
import { auditEntries } from '../../support/audit.js';
import { ProbeModule, PASSWORD } from './world.js';

const HOUR = 3_600_000;
const MINUTE = 60_000;

/** A browser, as far as it matters here: it keeps the one cookie and says where its forms come from. */
class Browser {
  cookie: string | undefined;
  page = '';

  constructor(private readonly app: StartedApp) {}

  async get(path: string): Promise<AppAnswer> {
    return this.#keep(await this.app.request(path, { headers: this.#cookies() }));
  }

  async post(
    path: string,
    fields: Record<string, string>,
    headers: Record<string, string> = {},
  ): Promise<AppAnswer> {
    return this.#keep(
      await this.app.request(path, {
        method: 'POST',
        headers: {
          'content-type': 'application/x-www-form-urlencoded',
          origin: this.app.url,
          ...this.#cookies(),
          ...headers,
        },
        body: new URLSearchParams(fields).toString(),
      }),
    );
  }

  signIn(username: string, password = PASSWORD): Promise<AppAnswer> {
    return this.post('/auth/sign-in', { username, password });
  }

  /** Fills in the form for a token on the page that was loaded last. */
  makeToken(name: string, more: Record<string, string> = {}): Promise<AppAnswer> {
    const fields = { proof: this.proof, name, days: '30', place: '', 'library:read': 'on', ...more };
    return this.post('/auth/account/tokens', fields);
  }

  get proof(): string {
    return /name="proof" value="([\w-]+)"/.exec(this.page)?.[1] ?? '';
  }

  #cookies(): Record<string, string> {
    return this.cookie === undefined ? {} : { cookie: `other=1; ${this.cookie}` };
  }

  #keep(answer: AppAnswer): AppAnswer {
    const given = answer.headers['set-cookie'];
    if (given !== undefined) this.cookie = String(given).split(';')[0];
    if (typeof answer.body === 'string') this.page = answer.body;
    return answer;
  }
}

describe('the pages for people with an account', () => {
  let app: StartedApp;
  let admin: string;
  let time = Date.now();
  let user: string;
  let users = 0;
  let browser: Browser;

  beforeAll(async () => {
    app = await startApp({
      modules: [AuthModule, WebModule, ProbeModule],
      env: {
        SCS_SERVICES: 'auth,web',
        SCS_KEYSTORE_URL: 'https://localhost:1',
        SCS_LIBRARY_URL: 'https://localhost:1',
        SCS_BUILDER_URL: 'https://localhost:1',
      },
      clock: { now: () => new Date(time) },
    });
    admin = (await readFile(join(app.home, 'admin.token'), 'utf8')).trim();
  });
  afterAll(() => app.stop());
  beforeEach(async () => {
    users += 1;
    user = `person${users}`;
    const json = { username: user, password: PASSWORD };
    await app.request('/v1/auth/users', { token: admin, json });
    browser = new Browser(app);
  });

  it('are where clients send people, and begin with signing in', async () => {
    const tokens = await browser.get('/auth/tokens');
    expect([tokens.status, tokens.headers['location']]).toEqual([303, '/auth/account']);
    const account = await browser.get('/auth/account');
    expect([account.status, account.headers['location']]).toEqual([303, '/auth/sign-in']);
    const form = await browser.get('/auth/sign-in');
    expect(form.status).toBe(200);
    expect(form.headers['content-security-policy']).toContain("form-action 'self'");
    expect(form.body).toContain('autocomplete="current-password"');
    expect(form.body).not.toContain('<script');
  });

  it('give a cookie that only TLS, only these pages and no script can see', async () => {
    const { status, headers } = await browser.signIn(user);
    expect([status, headers['location']]).toEqual([303, '/auth/account']);
    expect(headers['set-cookie']).toMatch(
      /^__Secure-scs-session=[\w-]{43}; Path=\/auth; Max-Age=604800; HttpOnly; Secure; SameSite=Lax$/,
    );
    const page = await browser.get('/auth/account');
    expect([page.status, page.headers['cache-control']]).toEqual([200, 'no-store']);
    expect(page.body).toContain(`Tokens of ${user}`);
  });

  it('make a token that is shown once and works, and end it', async () => {
    await browser.signIn(user);
    await browser.get('/auth/account');
    const made = await browser.makeToken('<b>laptop</b>', { 'library:write': 'on', place: `${user}/tools` });
    expect(made.status).toBe(200);
    expect(made.body).toContain('&lt;b&gt;laptop&lt;/b&gt;');
    const token = /<pre>([\w.-]{200,})<\/pre>/.exec(made.body as string)?.[1] ?? '';
    const status = await app.request('/v1/token-status', { token });
    expect(status.body.data).toMatchObject({
      username: user,
      scopes: [`library:read:${user}/tools`, `library:write:${user}/tools`],
    });
    expect((await browser.get('/auth/account')).body).not.toContain(token);
    const id = status.body.data.id as string;
    const ended = await browser.post(`/auth/account/tokens/${id}/revoke`, { proof: browser.proof });
    expect([ended.status, ended.headers['location']]).toEqual([303, '/auth/account']);
    expect((await app.request('/v1/probe', { token })).status).toBe(401);
  });

  it('say in words what is wrong with a form, and make nothing', async () => {
    await browser.signIn(user);
    await browser.get('/auth/account');
    const cases: [Record<string, string>, string][] = [
      [{ 'library:read': '' }, 'library:read'],
      [{ place: 'UPPER' }, 'Expected a scope'],
      [{ days: '9999' }, 'lifetime'],
      [{ days: 'x' }, 'lifetime'],
      [{ admin: 'on' }, 'Only tokens of administrators'],
    ];
    for (const [fields, words] of cases) {
      const answer = await browser.makeToken('x', fields);
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(answer.status).toBeLessThan(500);
      expect(answer.headers['content-type']).toContain('text/html');
      expect(/role="alert">([^<]*)/.exec(String(answer.body))?.[1]).toContain(words);
      await browser.get('/auth/account');
    }
    expect(browser.page).toContain('There are none.');
  });

  it('answer a wrong password and an unknown name alike, and make whoever guesses wait', async () => {
    const wrong = await browser.signIn(user, 'wrong password');
    const unknown = await browser.signIn('nobody-of-this-name', 'wrong password');
    expect([wrong.status, unknown.status]).toEqual([401, 401]);
    const text = (page: unknown): string => String(page).replaceAll(/value="[\w-]*"/g, '');
    expect(text(wrong.body)).toBe(text(unknown.body));
    expect(wrong.headers['set-cookie']).toBeUndefined();
    for (let attempt = 0; attempt < 4; attempt += 1) await browser.signIn(user, 'wrong password');
    const late = await browser.signIn(user);
    expect(late.status).toBe(429);
    expect(Number(late.headers['retry-after'])).toBeGreaterThan(0);
  });

  it('take no form of another site, of another session, or without the session', async () => {
    const other = new Browser(app);
    users += 1;
    const json = { username: `person${users}`, password: PASSWORD };
    await app.request('/v1/auth/users', { token: admin, json });
    await other.signIn(`person${users}`);
    await other.get('/auth/account');
    await browser.signIn(user);
    await browser.get('/auth/account');
    const fields = { proof: browser.proof, name: 'x', days: '30', place: '', build: 'on' };
    const path = '/auth/account/tokens';
    for (const headers of [
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { origin: '', 'sec-fetch-site': 'cross-site' },
    ] as Record<string, string>[])
      expect((await browser.post(path, fields, headers)).status).toBe(403);
    expect((await browser.post(path, { ...fields, proof: other.proof })).status).toBe(403);
    expect((await browser.post(path, { ...fields, proof: '' })).status).toBe(403);
    const stranger = new Browser(app);
    expect((await stranger.post(path, fields)).headers['location']).toBe('/auth/sign-in');
    expect((await browser.get('/auth/account')).body).toContain('There are none.');
    const foreign = await new Browser(app).post(
      '/auth/sign-in',
      { username: user, password: PASSWORD },
      { origin: 'https://evil.example' },
    );
    expect([foreign.status, foreign.headers['set-cookie']]).toEqual([403, undefined]);
  });

  it('take their forms also behind a proxy that calls the server by another name', async () => {
    const fields = { username: user, password: PASSWORD };
    const origin = 'https://containers.example';
    const form = (site: string): Promise<AppAnswer> =>
      browser.post('/auth/sign-in', fields, { origin, 'sec-fetch-site': site });
    for (const site of ['cross-site', 'same-site', 'none', ''])
      expect([site, (await form(site)).status]).toEqual([site, 403]);
    expect((await form('same-origin')).headers['location']).toBe('/auth/account');
  });

  it('mean nothing to the API: no route below /v1 looks at a cookie', async () => {
    await browser.signIn(user);
    const cookie = browser.cookie ?? '';
    for (const path of ['/v1/probe', '/v1/auth/tokens', '/v1/rbac/users/current'])
      expect((await app.request(path, { headers: { cookie } })).status).toBe(401);
  });

  it('end with signing out, and with the account', async () => {
    await browser.signIn(user);
    await browser.get('/auth/account');
    const before = browser.cookie;
    const out = await browser.post('/auth/sign-out', { proof: browser.proof });
    expect(out.headers['set-cookie']).toContain('Max-Age=0');
    browser.cookie = before;
    expect((await browser.get('/auth/account')).status).toBe(303);

    await browser.signIn(user);
    const disabled = await app.request(`/v1/auth/users/${user}`, {
      method: 'PATCH',
      token: admin,
      json: { disabled: true },
    });
    expect(disabled.status).toBe(200);
    expect((await browser.get('/auth/account')).status).toBe(303);
  });

  describe('after signing out', () => {
    let old: Browser;
    /** Signed in for an hour: the browser has another identifier by now, and requests with the one before may be under way. */
    beforeEach(async () => {
      await browser.signIn(user);
      old = new Browser(app);
      old.cookie = browser.cookie;
      time += HOUR;
      await browser.get('/auth/account');
      const { status } = await old.get('/auth/account');
      if (status !== 200 || browser.cookie === old.cookie) throw new Error('Expected two good identifiers');
    });
    const statusOf = async (cookie: string | undefined) => {
      const other = new Browser(app);
      other.cookie = cookie;
      return (await other.get('/auth/account')).status;
    };

    it('are closed to the identifier of before as well, at once', async () => {
      const cookies = [old.cookie, browser.cookie];
      await browser.post('/auth/sign-out', { proof: browser.proof });
      expect(await Promise.all(cookies.map(statusOf))).toEqual([303, 303]);
    });

    it('are closed to the newer identifier, when the one of before signs out', async () => {
      const cookies = [old.cookie, browser.cookie];
      const out = await old.post('/auth/sign-out', { proof: old.proof });
      expect(out.headers['location']).toBe('/auth/sign-in');
      expect(await Promise.all(cookies.map(statusOf))).toEqual([303, 303]);
    });

    it.each([
      ['is renewed by both', HOUR, 1],
      ['is renewed by another request when it is about to be removed', 10 * MINUTE, 2],
    ])('are closed also when the session %s', async (_, passed, hijacked) => {
      const store = app.get(SessionsStore);
      const write = store.write.bind(store);
      const other = new Browser(app);
      other.cookie = browser.cookie;
      let writes = 0;
      store.write = async (list) => {
        writes += 1;
        if (writes !== hijacked) return write(list);
        store.write = write;
        time += HOUR;
        expect((await other.get('/auth/account')).status).toBe(200);
        return write(list);
      };
      time += passed;
      const { cookie, proof } = browser;
      await browser.post('/auth/sign-out', { proof });
      expect([writes, other.cookie === cookie]).toEqual([hijacked, false]);
      expect(await Promise.all([cookie, other.cookie].map(statusOf))).toEqual([303, 303]);
    });
  });

  it('say in the trail that they ended by time, and what made room for a new one', async () => {
    const of = async () => {
      const entries = (await auditEntries(app, admin)).filter(({ action }) => action === 'session.close');
      return entries
        .filter(({ subject }) => subject.name === user)
        .map(({ actor, reason, before }) => [actor?.username ?? null, reason, before]);
    };
    const browsers = Array.from({ length: 21 }, () => new Browser(app));
    for (const one of browsers) {
      time += 1000;
      await one.signIn(user);
    }
    await vi.waitFor(async () => expect(await of()).toEqual([[user, 'too_many_sessions', null]]), 10_000);
    expect((await (browsers[0] as Browser).get('/auth/account')).status).toBe(303);
    const end = new Date(time + 12 * HOUR).toISOString();
    time += 12 * HOUR + 1;
    expect(await app.get(SessionsService).sweep()).toBeGreaterThanOrEqual(20);
    await vi.waitFor(async () => expect(await of()).toHaveLength(21), 10_000);
    const expired = (await of()).slice(0, 20);
    expect(expired.map((entry) => entry.slice(0, 2))).toEqual(
      Array.from({ length: 20 }, () => [null, 'session_expired']),
    );
    expect(expired.map(([, , before]) => before)).toContainEqual({ expiresAt: end });
  });

  it('say nothing twice in the trail: what the password had ended, what was renewed', async () => {
    await browser.signIn(user);
    time += HOUR;
    await browser.get('/auth/account');
    const json = { password: 'another good password' };
    await app.request(`/v1/auth/users/${user}/password`, { method: 'PUT', token: admin, json });
    time += 12 * HOUR + 1;
    expect(await app.get(SessionsService).sweep()).toBeGreaterThanOrEqual(2);
    // A later change is in the trail: what came before it would be too.
    await app.request(`/v1/auth/users/${user}`, { method: 'PATCH', token: admin, json: { disabled: true } });
    const actions = await vi.waitFor(async () => {
      const entries = (await auditEntries(app, admin)).filter(({ subject }) => subject.name === user);
      const found = entries.map(({ action }) => action);
      if (!found.includes('account.change')) throw new Error('Not yet');
      return found;
    }, 10_000);
    expect(actions).not.toContain('session.close');
  });

  it('end everywhere when the password changes', async () => {
    const other = new Browser(app);
    await browser.signIn(user);
    await other.signIn(user);
    const changed = await app.request(`/v1/auth/users/${user}/password`, {
      method: 'PUT',
      headers: { authorization: `Basic ${Buffer.from(`${user}:${PASSWORD}`).toString('base64')}` },
      json: { password: 'another good password' },
    });
    expect(changed.status).toBe(200);
    expect((await browser.get('/auth/account')).status).toBe(303);
    expect((await other.get('/auth/account')).status).toBe(303);
    await browser.signIn(user, 'another good password');
    expect((await browser.get('/auth/account')).status).toBe(200);
  });

  it('get another cookie every hour, and end after twelve idle ones', async () => {
    await browser.signIn(user);
    const first = browser.cookie;
    time += HOUR;
    expect((await browser.get('/auth/account')).status).toBe(200);
    const second = browser.cookie;
    expect(second).not.toBe(first);
    // A request that was under way with the old one.
    const slow = new Browser(app);
    slow.cookie = first;
    expect((await slow.get('/auth/account')).status).toBe(200);
    expect(slow.cookie).toBe(first);
    time += MINUTE;
    expect((await slow.get('/auth/account')).status).toBe(303);
    // A form of the page that was loaded under the old one is still good.
    expect((await browser.makeToken('after')).status).toBe(200);
    time += 12 * HOUR;
    expect((await browser.get('/auth/account')).status).toBe(303);
  });

  it('end a week after the password was typed, however much they are used', async () => {
    await browser.signIn(user);
    let last = 200;
    let hours = 0;
    for (; last === 200 && hours < 24 * 8; hours += 6) {
      time += 6 * HOUR;
      last = (await browser.get('/auth/account')).status;
    }
    expect([last, hours]).toEqual([303, 24 * 7]);
  });
});
