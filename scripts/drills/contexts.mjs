import { hashOf } from '../soak/library.mjs';
import { good } from './ask.mjs';
import { altered, signers } from './forging.mjs';
import { disable } from './uploads.mjs';

const now = () => Math.floor(Date.now() / 1000);

/** Signed addresses for build contexts: good for one content of one account, until a time, and no longer than the token that announced it. */
export async function contextAddresses(world, attempts) {
  const [ann, bob] = [await world.user(), await world.user()];
  const put = ({ address, bytes }) => world.ask(address, { method: 'PUT', body: bytes });
  const announce = async (text, { token }) => {
    const bytes = Buffer.from(text);
    const json = { size: bytes.length, digest: hashOf(bytes) };
    const { headers } = await world.at('builder', '/v1/build-context', { json, token });
    return { bytes, digest: json.digest, address: new URL(headers.location, world.of('builder').url) };
  };
  const own = await announce('what ann builds from', ann);
  const foreign = await announce('what bob builds from', bob);
  const holder = foreign.address.searchParams.get('holder');
  const at = (address) => ({ ...own, address });
  const sign = signers(world);
  const signed = (expires, key) => {
    const grant = { digest: own.digest, ...Object.fromEntries(own.address.searchParams), expires };
    return at(altered(own.address, { expires, mac: sign.context(grant, key) }));
  };

  for (const [what, one] of Object.entries({
    'another content': { ...foreign, address: altered(own.address, {}, () => foreign.address.pathname) },
    'another account': at(altered(own.address, { holder })),
    'another size': at(altered(own.address, { size: 1e9 })),
    'a later end': at(altered(own.address, { expires: now() + 1e6 })),
    'another signature': at(altered(own.address, { mac: 'A'.repeat(43) })),
    'the key of another service': signed(now() + 60, sign.keys.library),
    'the key that seals': signed(now() + 60, sign.keys.sealing),
  }))
    await attempts.refused(`a context address with ${what}`, put(one), 403);
  await attempts.refused('a context address after its end', put(signed(now() - 1)), 403);
  for (const mac of [undefined, ''])
    await attempts.refused(
      'a context address without a signature',
      put(at(altered(own.address, { mac }))),
      400,
      403,
    );
  for (const method of ['GET', 'POST', 'DELETE', 'PATCH'])
    await attempts.refused(`${method} at a context address`, world.ask(own.address, { method }), 405);

  await good(put(own));
  // Nothing but the same bytes can come of it.
  await attempts.refused(
    'other bytes at a context address that was used',
    put({ ...own, bytes: foreign.bytes }),
    422,
  );
  await good(world.at('builder', `/v1/build-context/${own.digest}`, { method: 'DELETE', token: ann.token }));
  await attempts.refused('a context address after the context was given up', put(own), 410);

  const revoked = await announce('never sent', ann);
  await world.revoke(ann.id);
  await attempts.refused('a context address of a revoked token', put(revoked));
  await disable(world, bob);
  await attempts.refused('a context address of a disabled account', put(foreign));
}
