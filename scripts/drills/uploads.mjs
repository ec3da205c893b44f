import { good } from './ask.mjs';
import { altered, signers } from './forging.mjs';
import { Pushes } from './pushes.mjs';

const METHODS = ['GET', 'POST', 'DELETE', 'PATCH', 'OPTIONS'];
const now = () => Math.floor(Date.now() / 1000);

/** Signed addresses of the library: good for one part of one upload, until a time, and no longer than the token that began it. */
export async function uploadAddresses(world, attempts) {
  const [ann, bob] = [await world.user(), await world.user()];
  const pushes = new Pushes(world, ann);
  const container = await pushes.container('one');
  const own = await pushes.begin(container);
  const others = new Pushes(world, bob);
  const foreign = await others.begin(await others.container('one'));
  const put = (address, body = own.bytes) => world.ask(address, { method: 'PUT', body });
  const sign = signers(world);
  const [, , upload] = own.address.pathname.split('/').slice(1);
  const signed = (expires, part = '1', key) =>
    altered(own.address, { expires, signature: sign.upload(upload, part, expires, key) });

  for (const [what, address] of Object.entries({
    'another upload': altered(foreign.address, {}, () => own.address.pathname),
    'an upload of somebody else': altered(own.address, {}, () => foreign.address.pathname),
    'another part': altered(own.address, {}, (path) => path.replace(/1$/, '2')),
    'a later end': altered(own.address, { expires: now() + 1e6 }),
    'no end': altered(own.address, { expires: undefined }),
    'no signature': altered(own.address, { signature: undefined }),
    'another signature': altered(own.address, { signature: 'A'.repeat(43) }),
    'two ends': new URL(`${own.address}&expires=${now() + 1e6}`),
    'the key of another service': signed(now() + 60, '1', sign.keys.contexts),
  }))
    await attempts.refused(`an upload address with ${what}`, put(address), 403);
  await attempts.refused('an upload address after its end', put(signed(now() - 1)), 410);
  for (const method of METHODS)
    await attempts.refused(`${method} at an upload address`, world.ask(own.address, { method }), 405);
  await attempts.refused('other bytes', put(own.address, foreign.bytes), 422);
  const path = `/v2/imagefile/${own.id}/_complete`;
  const completing = world.at('library', path, { method: 'PUT', json: {}, token: bob.token });
  await attempts.refused('the upload of somebody else', completing, 403);

  await good(put(own.address));
  await attempts.refused('an upload address that was used', put(own.address), 409);
  await pushes.complete(own);
  await attempts.refused('an upload address after its upload', put(own.address), 409);
  const parts = await pushes.beginParts(container);
  await pushes.abort(parts);
  await attempts.refused('the address of a part that was given up', put(parts.address, parts.bytes), 409);

  const revoked = await pushes.begin(container);
  await world.revoke(ann.id);
  await attempts.refused('an upload address of a revoked token', put(revoked.address, revoked.bytes));
  await disable(world, bob);
  await attempts.refused('an upload address of a disabled account', put(foreign.address, foreign.bytes));
}

/** @param user whose account ends */
export const disable = (world, { name }) =>
  good(
    world.at('auth', `/v1/auth/users/${name}`, {
      method: 'PATCH',
      token: world.admin,
      json: { disabled: true },
    }),
  );
