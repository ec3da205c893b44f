import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { newImage } from '../soak/library.mjs';
import { freePort } from '../soak/process.mjs';
import { untilNothing } from '../soak/until.mjs';
import { good } from './ask.mjs';
import { Attempts } from './attempts.mjs';
import { claimsOf, forge } from './forging.mjs';
import { Liar } from './liar.mjs';
import { liesAbout } from './lies.mjs';
import { Pushes } from './pushes.mjs';
import { World } from './world.mjs';

/** A look at the feed, and what a busy machine takes. */
const LATE = 5_000;

/**
 * Whoever answers in the place of auth cannot keep a service from seeing that it knows revocations no more: changes are refused within the bound,
 * what is public can be read, and all is well again with the true answer.
 */
export async function feed(options) {
  // What the guide promises: changes end so long after the last good answer.
  const { ACCESS_LIMITS } = await import(join(options.checkout, 'dist/libs/server/src/index.js'));
  const bound = ACCESS_LIMITS.feedStaleMs;
  const attempts = new Attempts();
  const port = await freePort();
  const world = await World.prepare(options, {
    processes: { auth: 'auth', services: 'keystore,library,builder' },
    env: { services: { SCS_AUTH_URL: `https://localhost:${port}` } },
  });
  const certificate = await world.site.issue('liar');
  const liar = new Liar({ ask: world.ask, auth: world.process('auth').url, certificate });
  await liar.listen(port);
  try {
    await world.start();
    const [ann, eve] = [await world.user(), await world.user()];
    // Two entries: the feed can go back.
    for (const scopes of [['build'], ['build']]) await world.revoke((await world.token(ann.name, scopes)).id);
    const pushes = new Pushes(world, ann);
    const container = await pushes.container('open');
    const published = await pushes.begin(container);
    await good(world.ask(published.address, { method: 'PUT', body: published.bytes }));
    await pushes.complete(published);
    const begun = await pushes.begin(container);

    const write = () => world.at('library', '/v1/entities', { token: ann.token, json: { name: ann.name } });
    const readsPublic = () => good(world.at('library', `/v1/containers/${ann.name}/drill/open`));
    const reads = () => world.at('library', '/v1/entities', { token: ann.token });
    await good(write());

    const { data } = (await world.at('auth', '/v1/auth/revocations')).body;
    const { head, entries } = claimsOf(data.signed);
    const [entry] = entries;
    const facts = { issuer: await world.issuer(), key: world.signingKey(), head, token: ann.token, entry };
    const { stranger, wrong, replaced, published: publishedBeside } = await liesAbout(facts);

    // A key that is published and that no true feed names signs nothing.
    liar.tell(publishedBeside);
    await looks(liar, 2);
    const minted = await forge(stranger, claimsOf(ann.token));
    await attempts.refused(
      'a token by a key that was only published',
      world.at('library', '/v1/entities', { token: minted }),
    );
    await good(write());

    // All the lies, each several times within the bound: had one been taken, changes would go on longer.
    const begin = performance.now();
    const end = liar.looks + Object.keys(wrong).length;
    liar.tell(...Object.values(wrong));
    await wait(bound);
    await untilNothing(
      'change while revocations are not known',
      async () => ((await write()).status === 503 ? [] : ['one']),
      LATE,
    );
    if (performance.now() - begin > bound + LATE) throw new Error('Expected changes to end within the bound');
    attempts.count += Object.keys(wrong).length;
    // Where the machine is busy some of them are still to come.
    await looks(liar, Math.max(1, end - liar.looks));
    const { reason, body } = await attempts.refused('a change', write(), 503);
    attempts.same('why', reason, 'revocations_stale');
    attempts.same('a sentence', / are not known/.test(body.error.message), true);
    await attempts.refused(
      'bytes for an upload address',
      world.ask(begun.address, { method: 'PUT', body: begun.bytes }),
      503,
    );
    const context = { size: 1, digest: newImage(64).hash };
    await attempts.refused(
      'a build context',
      world.at('builder', '/v1/build-context', { token: ann.token, json: context }),
      503,
    );
    await attempts.refused(
      'a key',
      world.at('keystore', '/pks/add', { token: ann.token, form: { keytext: 'x' } }),
      503,
    );
    await readsPublic();
    await good(reads());

    // Somebody who answers for feed and keys: nobody is taken, least of all their own.
    await world.revoke(eve.id);
    liar.tell(replaced);
    await untilNothing(
      'tokens that are taken',
      async () => ((await reads()).status === 503 ? [] : ['one']),
      5_000,
    );
    attempts.same('why', (await reads()).body.error.reason, 'auth_keys_replaced');
    const forged = await attempts.refused(
      'a token of whoever answers',
      world.at('library', '/v1/entities', { token: minted }),
      401,
    );
    attempts.same('why', forged.reason, 'token_invalid');
    await attempts.refused('a change', write(), 503);
    await readsPublic();

    liar.tell();
    await untilNothing('refused changes', async () => ((await write()).status === 200 ? [] : ['one']), LATE);
    await attempts.refused(
      'a token that was revoked meanwhile',
      world.at('library', '/v1/entities', { token: eve.token }),
    );
    await good(world.ask(begun.address, { method: 'PUT', body: begun.bytes }));
  } finally {
    await world.stop();
    await liar.close();
  }
  return `${attempts.count} answers in the place of auth and requests meanwhile, no change was taken`;
}

/** Resolves when the service has seen so many more answers. */
async function looks(liar, count) {
  // One more has to be asked for: then the last of them was judged.
  const end = liar.looks + count + 1;
  await untilNothing(`fewer than ${count} looks at the feed`, () => (liar.looks < end ? [liar.looks] : []));
}
