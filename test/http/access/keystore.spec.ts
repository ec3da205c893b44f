import { KeystoreThings } from './keystore-things.js';
import { describeAccess } from './matrix.js';
import { form, VAULT } from './world.js';

type Things = { readonly world: KeystoreThings };
/** Searches of one address are counted. */
const from = ({ world: things }: Things, path: string) => ({ path, headers: things.world.elsewhere() });
const hidden = { method: 'PUT', json: { hashes: [] } };

describeAccess('keystore', () => KeystoreThings.prepare(), {
  'GET /pks/lookup': (about) => from(about, `/pks/lookup?op=get&search=0x${about.world.shown.fingerprint}`),
  'GET /pks/stats': (about) => from(about, '/pks/stats'),
  'GET /pks/health': () => ({ path: '/pks/health' }),
  'OPTIONS /pks/lookup': () => ({ method: 'OPTIONS', path: '/pks/lookup' }),
  'OPTIONS /pks/stats': () => ({ method: 'OPTIONS', path: '/pks/stats' }),
  'OPTIONS /pks/add': () => ({ method: 'OPTIONS', path: '/pks/add' }),
  'POST /pks/add': async ({ world }) => ({
    path: '/pks/add',
    ...form({ keytext: (await world.newKey()).armor }),
  }),
  'POST /pks/hashquery': () => ({ method: 'POST', path: '/pks/hashquery' }),
  'GET /pks/v2/certs/by-vfingerprint/{vfp}': (about) =>
    from(about, `/pks/v2/certs/by-vfingerprint/04${about.world.shown.fingerprint}`),
  'GET /pks/v2/certs/by-vfingerprint/{version}/{fingerprint}': (about) =>
    from(about, `/pks/v2/certs/by-vfingerprint/04/${about.world.shown.fingerprint}`),
  'GET /pks/v2/certs/by-keyid/{id}': (about) =>
    from(about, `/pks/v2/certs/by-keyid/${about.world.shown.fingerprint.slice(-16)}`),
  'GET /pks/v2/certs/by-identity/{identity}': (about) =>
    from(about, '/pks/v2/certs/by-identity/shown@example.org'),
  'GET /pks/v2/index/{term}': (about) => from(about, '/pks/v2/index/shown@example.org'),
  'POST /pks/v2/certs': async ({ world }) => ({
    method: 'POST',
    path: '/pks/v2/certs',
    headers: { 'content-type': 'application/pgp-keys' },
    body: (await world.newKey()).bytes,
  }),
  'OPTIONS /pks/v2/{path}': () => ({ method: 'OPTIONS', path: '/pks/v2/certs/by-identity' }),
  'GET /pks/v2/{path}': () => ({ path: '/pks/v2/certs/by-identity' }),
  'POST /pks/v2/{path}': () => ({ method: 'POST', path: '/pks/v2/sendtoken' }),
  'PUT /pks/v2/{path}': () => ({ method: 'PUT', path: '/pks/v2/canonical/shown@example.org' }),
  'GET /.well-known/openpgpkey/{domain}/hu/{hash}': (about) =>
    from(about, `/.well-known/openpgpkey/example.org/hu/${'y'.repeat(32)}?l=shown`),
  'GET /.well-known/openpgpkey/hu/{hash}': (about) =>
    from(about, `/.well-known/openpgpkey/hu/${'y'.repeat(32)}?l=shown`),
  'GET /.well-known/openpgpkey/{domain}/policy': (about) =>
    from(about, '/.well-known/openpgpkey/example.org/policy'),
  'GET /.well-known/openpgpkey/policy': (about) => from(about, '/.well-known/openpgpkey/policy'),
  'GET /v1/keys/changes': () => ({ path: '/v1/keys/changes' }),
  'GET /v1/keys/events': (about) => from(about, '/v1/keys/events'),
  'GET /v1/keys/blocked': () => ({ path: '/v1/keys/blocked' }),
  'GET /v1/keys/blocked/{fingerprint}': async (about) => ({
    path: `/v1/keys/blocked/${await about.world.blocked(about)}`,
  }),
  'PUT /v1/keys/blocked/{fingerprint}': async ({ world }) => ({
    method: 'PUT',
    path: `/v1/keys/blocked/${(await world.newKey()).fingerprint}`,
  }),
  'DELETE /v1/keys/blocked/{fingerprint}': async (about) => ({
    method: 'DELETE',
    path: `/v1/keys/blocked/${await about.world.blocked(about)}`,
  }),
  'GET /v1/keys/expiring': () => ({ path: '/v1/keys/expiring' }),
  'GET /v1/keys/{fingerprint}': async (about) => {
    const { object, world } = about;
    const { fingerprint } = object === 'public' ? world.shown : await world.unseen(about);
    return { path: `/v1/keys/${fingerprint}` };
  },
  'DELETE /v1/keys/{fingerprint}': async (about) => ({
    method: 'DELETE',
    path: `/v1/keys/${(await about.world.key(about)).fingerprint}`,
  }),
  'POST /v1/keys/{fingerprint}/challenge': ({ world }) => ({
    method: 'POST',
    path: `/v1/keys/${world.shown.fingerprint}/challenge`,
  }),
  'POST /v1/keys/{fingerprint}/claim': async (about) => {
    const { fingerprint, signed } = await about.world.claim(about);
    return { method: 'POST', path: `/v1/keys/${fingerprint}/claim`, json: { signed } };
  },
  'PUT /v1/keys/{fingerprint}/hidden': async (about) => ({
    ...hidden,
    path: `/v1/keys/${(await about.world.key(about)).fingerprint}/hidden`,
  }),
  'GET /v1/keyrings/{file}': async (about) => {
    const { world } = about;
    await world.keyring();
    return { path: `/v1/keyrings/${VAULT}.asc` };
  },
  'PUT /v1/keyrings/{organisation}/keys/{fingerprint}': async (about) => {
    const { fingerprint } = await about.world.owned(about);
    const organisation = about.missing ? `none-${about.serial}` : VAULT;
    return { method: 'PUT', path: `/v1/keyrings/${organisation}/keys/${fingerprint}` };
  },
  'DELETE /v1/keyrings/{organisation}/keys/{fingerprint}': async (about) => {
    const { organisation, fingerprint } = await about.world.entry(about);
    return { method: 'DELETE', path: `/v1/keyrings/${organisation}/keys/${fingerprint}` };
  },
  'POST /v1/keys/check': () => ({ method: 'POST', path: '/v1/keys/check', json: {} }),
  'GET /v1/keys/export': () => ({ path: '/v1/keys/export?limit=1' }),
  'POST /v1/keys/import': async ({ world }) => ({
    method: 'POST',
    path: '/v1/keys/import',
    body: (await world.newKey()).bytes,
  }),
});
