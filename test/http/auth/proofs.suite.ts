import { createPublicKey, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { importJWK, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AuthModule } from '#apps/auth/src/auth.module';
import { Issuer } from '#apps/auth/src/issuer';
import { newPrivateJwk, publicPart } from '#libs/server';
import { startApp } from '../../support/app.js';
import type { TestDatabase } from '../../support/databases.js';
import { temporaryFolder } from '../../support/temporary.js';
import { Exchanging } from './exchanging.js';

type Jwk = Awaited<ReturnType<typeof newPrivateJwk>>;
const REFUSED = [401, 'client_assertion_invalid'];

/** How a service proves which one it is, and with what it does not, on any database. */
export function proofsSuite(name: string, open: () => Promise<TestDatabase>): void {
  describe(`the proof of a service over ${name}`, () => {
    let setting: Exchanging;
    let builders: Jwk;
    let workers: Jwk;
    beforeAll(async () => {
      setting = await Exchanging.start(await open());
      await setting.keyOf('worker');
      const read = async (service: string): Promise<Jwk> =>
        JSON.parse(await readFile(join(setting.world.app.home, 'data', service, 'service-key.json'), 'utf8'));
      [builders, workers] = [await read('builder'), await read('worker')];
    });
    afterAll(() => setting.stop());

    interface Forged {
      readonly key?: Jwk;
      readonly header?: object;
      /** Undefined leaves a claim out. */
      readonly claims?: Readonly<Record<string, unknown>>;
    }
    const now = (): number => Math.floor(Date.now() / 1000);
    /** A proof that is right in everything that is not said otherwise. */
    const forge = async ({ key = builders, header = {}, claims = {} }: Forged = {}): Promise<string> => {
      const right = {
        iss: 'builder',
        sub: 'builder',
        aud: setting.world.app.get(Issuer).name,
        jti: randomBytes(16).toString('hex'),
        iat: now(),
        exp: now() + 60,
      };
      return new SignJWT({ ...right, ...claims })
        .setProtectedHeader({ alg: 'ES256', typ: 'client-authentication+jwt', kid: key.kid, ...header })
        .sign(await importJWK(key, 'ES256'));
    };
    const presented = (client_assertion: string | undefined) => setting.refusal({ client_assertion });

    test('is good when all of it is right, also with clocks that differ by less than half a minute', async () => {
      expect((await presented(await forge()))[0]).toBe(200);
      for (const seconds of [-80, -20, 20])
        expect([
          seconds,
          (await presented(await forge({ claims: { iat: now() + seconds, exp: now() + seconds + 60 } })))[0],
        ]).toEqual([seconds, 200]);
    });

    test.each<[string, () => Forged | Promise<Forged>]>([
      ['a stranger’s key', async () => ({ key: await newPrivateJwk() })],
      [
        'a stranger’s key under the name of the right one',
        async () => ({ key: { ...(await newPrivateJwk()), kid: builders.kid } }),
      ],
      ['the key of another service', () => ({ key: workers })],
      ['no name of a key', () => ({ header: { kid: undefined } })],
      ['the name of another service', () => ({ claims: { iss: 'worker', sub: 'worker' } })],
      ['the name of no service', () => ({ claims: { iss: 'root', sub: 'root' } })],
      ['a subject that is not the issuer', () => ({ claims: { sub: 'worker' } })],
      ['the type of an access token', () => ({ header: { typ: 'at+jwt' } })],
      ['another instance as audience', () => ({ claims: { aud: 'urn:scs:other' } })],
      [
        'the builder as audience',
        () => ({ claims: { aud: `${setting.world.app.get(Issuer).name}:builder` } }),
      ],
      [
        'several audiences',
        () => ({ claims: { aud: [setting.world.app.get(Issuer).name, 'urn:scs:other'] } }),
      ],
      ['no audience', () => ({ claims: { aud: undefined } })],
      ['an end that has come', () => ({ claims: { iat: now() - 91, exp: now() - 31 } })],
      [
        'an end far away, and more than a minute of age',
        () => ({ claims: { iat: now() - 91, exp: now() + 3600 } }),
      ],
      ['a beginning in the future', () => ({ claims: { iat: now() + 40, exp: now() + 100 } })],
      ['no beginning', () => ({ claims: { iat: undefined } })],
      ['no end', () => ({ claims: { exp: undefined } })],
      ['no id', () => ({ claims: { jti: undefined } })],
      ['an id that comes up again', () => ({ claims: { jti: 'x' } })],
    ])('is refused with %s', async (_, forged) => {
      expect(await presented(await forge(await forged()))).toEqual(REFUSED);
    });

    test('is refused unsigned, and signed with what is public', async () => {
      const parts = (await forge()).split('.');
      const header = (alg: string) =>
        Buffer.from(JSON.stringify({ alg, typ: 'client-authentication+jwt', kid: builders.kid })).toString(
          'base64url',
        );
      expect(await presented(`${header('none')}.${parts[1]}.`)).toEqual(REFUSED);
      const pem = createPublicKey({ key: publicPart(builders), format: 'jwk' })
        .export({ type: 'spki', format: 'pem' })
        .toString();
      const symmetric = await new SignJWT({
        iss: 'builder',
        sub: 'builder',
        aud: setting.world.app.get(Issuer).name,
        jti: randomBytes(16).toString('hex'),
        iat: now(),
        exp: now() + 60,
      })
        .setProtectedHeader({ alg: 'HS256', typ: 'client-authentication+jwt', kid: builders.kid })
        .sign(Buffer.from(pem));
      expect(await presented(symmetric)).toEqual(REFUSED);
      expect(await presented('x.y.z')).toEqual(REFUSED);
      expect(await presented(undefined)).toEqual([400, 'bad_request']);
      const { token } = await setting.world.token(setting.alice);
      expect(await presented(token)).toEqual(REFUSED);
    });

    test('is good once, whatever it was used for, and once of many at the same time', async () => {
      const proof = await setting.proof();
      expect((await presented(proof))[0]).toBe(200);
      expect(await presented(proof)).toEqual(REFUSED);
      // Also when what was asked for with it was refused.
      const spent = await setting.proof();
      expect(await setting.refusal({ client_assertion: spent, scope: 'admin' })).toEqual([
        403,
        'exchange_not_allowed',
      ]);
      expect(await presented(spent)).toEqual(REFUSED);
      const { token } = await setting.world.token(setting.alice);
      const client_assertion = await setting.proof();
      const answers = await Promise.all(
        Array.from({ length: 8 }, () => setting.form(token, { client_assertion })),
      );
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
      expect(answers.filter(({ status }) => status === 401)).toHaveLength(7);
    });
  });

  test(`a proof over ${name} is good once for all processes that share the database, and after a restart`, async () => {
    const database = await open();
    const folder = await temporaryFolder();
    const setting = await Exchanging.start(database, { home: folder.path });
    const { token } = await setting.world.token(setting.alice);
    const client_assertion = await setting.proof();
    expect((await setting.form(token, { client_assertion })).status).toBe(200);
    // SQLite lets no second process in.
    const shared = database.env['SCS_DATABASE_URL'] !== undefined;
    if (!shared) await setting.world.app.stop();
    const other = await startApp({
      modules: [AuthModule],
      home: folder.path,
      env: { SCS_SERVICES: 'auth', ...database.env },
    });
    try {
      const replayed = await setting.form(token, { client_assertion }, other);
      expect([replayed.status, replayed.body.error.reason]).toEqual(REFUSED);
      expect((await setting.form(token, {}, other)).status).toBe(200);
    } finally {
      await other.stop();
      await setting.builder.stop();
      if (shared) await setting.world.app.stop();
      await database.stop();
      await folder.remove();
    }
  });
}
