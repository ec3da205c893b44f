import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AuthModule } from '#apps/auth/src/auth.module';
import { Issuer } from '#apps/auth/src/issuer';
import { BuilderModule } from '#apps/builder/src/builder.module';
import { KeystoreModule } from '#apps/keystore/src/keystore.module';
import { LibraryModule } from '#apps/library/src/library.module';
import { WebModule } from '#apps/web/src/web.module';
import { ErrorEnvelope, type TokenClaims } from '#libs/contract';
import { newObjectId } from '#libs/core';
import { type RouteAccess, routesOf } from '#libs/server';
import { type AppAnswer, type AppRequest, type StartedApp, startApp } from '../../support/app.js';

/* Every route of every service, found from its decorators: a new one is tested without being named here. */

const MODULES = [AuthModule, KeystoreModule, LibraryModule, BuilderModule, WebModule];
const ROUTES = routesOf(MODULES);
const nameOf = ({ method, path }: RouteAccess): string => `${method} ${path}`;

let app: StartedApp;
let admin: string;
beforeAll(async () => {
  app = await startApp({ modules: MODULES, env: { SCS_SERVICES: 'auth,keystore,library,builder,web' } });
  admin = (await readFile(join(app.home, 'admin.token'), 'utf8')).trim();
});
afterAll(() => app.stop());

const withParameter = (path: string, value: string): string => path.replace(/:\w+|\*/g, value);

function send(
  { method, path }: RouteAccess,
  options: AppRequest & { path?: string } = {},
): Promise<AppAnswer> {
  const { path: chosen = withParameter(path, '0'.repeat(24)), ...request } = options;
  return app.request(chosen, { method, ...request });
}

describe('a route that needs a token', () => {
  const guarded = ROUTES.filter(({ access }) => access.kind === 'token');
  const claims = (changes: Partial<TokenClaims> = {}): Omit<TokenClaims, 'iss'> => {
    const now = Math.floor(Date.now() / 1000);
    return {
      aud: 'scs',
      sub: newObjectId(),
      jti: newObjectId(),
      iat: now,
      exp: now + 600,
      scope: 'library:read',
      username: 'mallory',
      email: '',
      name: 'Mallory',
      administrator: false,
      kind: 'user',
      ...changes,
    };
  };
  const token = (changes: Partial<TokenClaims>): Promise<string> =>
    app.get(Issuer).accessToken(claims(changes));
  /** A scope that is none of these. */
  const without = (scopes: readonly string[]): string =>
    scopes.includes('library:read') ? 'keystore:write' : 'library:read';

  test.each(guarded.map((route) => [nameOf(route), route] as const))(
    '%s refuses all others',
    async (_, route) => {
      const { audience, scopes } = route.access;
      const others = (['keystore', 'library', 'builder'] as const).filter((name) => name !== audience);
      const origin = newObjectId();
      const refused: readonly (readonly [string, string | undefined, number])[] = [
        ['nobody', undefined, 401],
        ['alg none', `${Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url')}.e30.`, 401],
        ['an expired token', await token({ exp: Math.floor(Date.now() / 1000) - 1 }), 401],
        ...(await Promise.all(
          others.map(async (aud) => [`a token for ${aud}`, await token({ aud, origin }), 401] as const),
        )),
        ...(scopes.length === 0
          ? []
          : [['a token without the scope', await token({ scope: without(scopes) }), 403] as const]),
        // The scope alone makes nobody an administrator.
        ...(scopes.includes('admin') ? [['a claim', await token({ scope: 'admin' }), 403] as const] : []),
      ];
      for (const [who, presented, status] of refused) {
        const answer = await send(route, presented === undefined ? {} : { token: presented });
        expect([who, answer.status, ErrorEnvelope.parse(answer.body).error.code]).toEqual([
          who,
          status,
          status,
        ]);
      }
    },
  );
});

const SEGMENTS = [
  ...'x %00 % %zz %ff .. %2e%2e%2f %F0%9F%98%80 $ne __proto__ constructor * : " %0d%0a -1 %C0%80 %ED%A0%80'.split(
    ' ',
  ),
  'a'.repeat(512),
  'a'.repeat(513),
  `sha256.${'a'.repeat(64)}`,
  '',
];
const QUERIES = [
  ...'? ?a ?= ?&&& ?% ?%zz=1 ?limit=-1 ?limit=1e400 ?limit[]=1 ?cursor=%00 ?cursor=W10 ?offset=1e99'.split(
    ' ',
  ),
  ...'?cursor=WyJieUFjY291bnQiLDEsIngiXQ ?cursor=WyJieVVzZXJuYW1lIixudWxsLCJ4Il0 ?after=-1 ?after=1e308'.split(
    ' ',
  ),
  ...'?after=9007199254740991 ?username=%00 ?value=abc&arch=%00 ?value=%00%00%00 ?value=%ED%A0%80abc'.split(
    ' ',
  ),
  ...'?value=abc&signed[]=true ?arch%3D%00 ?arch=amd64&arch=arm64 ?arch[x]=y ?__proto__[x]=y'.split(' '),
  ...'?op=get&search=%00 ?op=get&search=%ED%A0%80 ?expires=1&signature=%00 ?auth_token=x'.split(' '),
  `?op=get&search=${'a'.repeat(600)}`,
  `?expires=${'9'.repeat(12)}&signature=${'A'.repeat(43)}`,
  `?${'a=b&'.repeat(900)}`,
];
const TYPES = [
  undefined,
  'application/json',
  'application/x-www-form-urlencoded',
  'application/pgp-keys',
  'multipart/form-data; boundary=x',
];
const BODIES: readonly (string | Buffer)[] = [
  ...String.raw`
{
[]
null
0
"x"
{}
a=b&a=c
keytext=%00
keytext=-----BEGIN PGP PUBLIC KEY BLOCK-----%0A%0A%0A
{"__proto__":{"a":1}}
{"name":"\ud800","scopes":["library:read"]}
{"name":"\u0000"}
{"name":{"$gt":""}}
{"filesize":1e308}
{"name":"admin","description":"\ud800"}
{"name":"admin","quota":9007199254740992}
{"Tag":"x","ImageID":"\u0000","Arch":"amd64"}
{"username":"ab","password":"0123456789","displayName":"\ud800"}
{"uploadID":"\u0000","partNumber":1}
{"hash":"sha256.${'a'.repeat(64)}","container":"\u0000"}`.split('\n'),
  '['.repeat(5000),
  Buffer.from([0xff, 0xfe]),
  Buffer.from([0x99, 0xff, 0xff]),
  Buffer.alloc(100_000, 0x5b),
];

/** Routes that people open in a browser: there a refusal is a page. */
const isPage = ({ path }: RouteAccess): boolean => /^\/(?:auth|library)\/|^\/$/.test(path);

/** What is wrong with an answer: a bug of ours, or an error that is no envelope and no page; undefined when nothing is. */
function faultOf(route: RouteAccess, { status, body, headers }: AppAnswer): string | undefined {
  if (status < 400) return undefined;
  const text = JSON.stringify(body);
  const honest = status < 500 || [501, 503, 507].includes(status);
  const type = String(headers['content-type']);
  const told =
    isPage(route) && type.startsWith('text/html')
      ? text.includes('role=\\"alert\\"')
      : type.startsWith('application/json') && ErrorEnvelope.safeParse(body).data?.error.code === status;
  if (honest && told && !/\\n +at |node:|\.[jt]s\b/.test(text)) return undefined;
  return `${status} ${text.slice(0, 300)}`;
}

function requestsTo(route: RouteAccess): (AppRequest & { readonly path: string })[] {
  const paths = /[:*]/.test(route.path) ? SEGMENTS.map((segment) => withParameter(route.path, segment)) : [];
  const some = withParameter(route.path, '0'.repeat(24));
  const targets = [...paths, ...QUERIES.map((query) => some + query)];
  if (route.method === 'GET' || route.method === 'DELETE') return targets.map((path) => ({ path }));
  return [
    ...targets.map((path) => ({ path, body: '{}' })),
    ...BODIES.flatMap((body) =>
      TYPES.map((type) => ({
        path: some,
        body,
        headers: type === undefined ? {} : { 'content-type': type },
      })),
    ),
  ];
}

test.each(ROUTES.map((route) => [nameOf(route), route] as const))(
  '%s answers whatever is sent, or says what is wrong with it',
  async (_, route) => {
    const faults: string[] = [];
    for (const user of [{}, { token: admin }])
      for (const request of requestsTo(route)) {
        const fault = faultOf(route, await send(route, { ...request, ...user }));
        if (fault !== undefined)
          faults.push(
            `${request.path.slice(0, 100)} ${JSON.stringify(request.body)?.slice(0, 100)}: ${fault}`,
          );
      }
    expect(faults).toEqual([]);
  },
);
