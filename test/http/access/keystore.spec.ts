import { createHash } from 'node:crypto';
import { readArmor } from '#libs/pgp';
import { newTestKey } from '../../support/pgp-keys.js';
import { KeyThings, wkdHashOf } from './key-things.js';
import { type About, describeAccess } from './matrix.js';
import { form, GUILD, VAULT } from './world.js';

type Asking = About<KeyThings>;

const fingerprintOf = async (about: Asking): Promise<string> => (await about.world.key(about)).fingerprint;
const pathOf = async (about: Asking): Promise<string> => `/v1/keys/${await fingerprintOf(about)}`;
const newKeytext = async () => form({ keytext: (await newTestKey('New')).armored });

/** The organisation whose keyring a request is about. */
function ringOf({ object, caller, missing }: Asking): string {
  if (missing) return 'nobodys';
  return object === 'own' ? `of-${caller.account}` : object === 'public' ? GUILD : VAULT;
}

describeAccess('keystore', () => KeyThings.prepare(), {
  'GET /pks/lookup': async (about) => ({ path: `/pks/lookup?op=get&search=0x${await fingerprintOf(about)}` }),
  'GET /pks/stats': () => ({ path: '/pks/stats' }),
  'GET /pks/health': () => ({ path: '/pks/health' }),
  'OPTIONS /pks/lookup': () => ({ method: 'OPTIONS', path: '/pks/lookup' }),
  'OPTIONS /pks/stats': () => ({ method: 'OPTIONS', path: '/pks/stats' }),
  'OPTIONS /pks/add': () => ({ method: 'OPTIONS', path: '/pks/add' }),
  'POST /pks/add': async () => ({ path: '/pks/add', ...(await newKeytext()) }),
  'POST /pks/hashquery': () => ({ method: 'POST', path: '/pks/hashquery' }),
  'GET /pks/v2/certs/by-vfingerprint/{vfp}': async (about) => ({
    path: `/pks/v2/certs/by-vfingerprint/04${await fingerprintOf(about)}`,
  }),
  'GET /pks/v2/certs/by-vfingerprint/{version}/{fingerprint}': async (about) => ({
    path: `/pks/v2/certs/by-vfingerprint/04/${await fingerprintOf(about)}`,
  }),
  'GET /pks/v2/certs/by-keyid/{id}': async (about) => ({
    path: `/pks/v2/certs/by-keyid/${(await fingerprintOf(about)).slice(-16)}`,
  }),
  'GET /pks/v2/certs/by-identity/{identity}': async (about) => ({
    path: `/pks/v2/certs/by-identity/${(await about.world.key(about)).address}`,
  }),
  'GET /pks/v2/index/{term}': async (about) => ({
    path: `/pks/v2/index/${(await about.world.key(about)).address}`,
  }),
  'POST /pks/v2/certs': async () => ({ path: '/pks/v2/certs', ...(await newKeytext()) }),
  'OPTIONS /pks/v2/{path}': () => ({ method: 'OPTIONS', path: '/pks/v2/certs' }),
  'GET /pks/v2/{path}': () => ({ path: '/pks/v2/prefixlog/2026-01-01' }),
  'POST /pks/v2/{path}': () => ({ method: 'POST', path: '/pks/v2/canonical' }),
  'PUT /pks/v2/{path}': () => ({ method: 'PUT', path: '/pks/v2/canonical' }),
  'GET /.well-known/openpgpkey/hu/{hash}': async (about) => ({
    path: `/.well-known/openpgpkey/hu/${wkdHashOf(await about.world.key(about))}`,
  }),
  'GET /.well-known/openpgpkey/{domain}/hu/{hash}': async (about) => ({
    path: `/.well-known/openpgpkey/example.org/hu/${wkdHashOf(await about.world.key(about))}`,
  }),
  'GET /.well-known/openpgpkey/policy': () => ({ path: '/.well-known/openpgpkey/policy' }),
  'GET /.well-known/openpgpkey/{domain}/policy': () => ({
    path: '/.well-known/openpgpkey/example.org/policy',
  }),
  'GET /v1/keys/changes': () => ({ path: '/v1/keys/changes?limit=1' }),
  'GET /v1/keys/events': () => ({ path: '/v1/keys/events' }),
  'GET /v1/keys/expiring': async (about) => ({
    path: '/v1/keys/expiring?within=11&limit=500',
    shows: (await about.world.key(about, { served: true })).fingerprint,
  }),
  'GET /v1/keys/notices': async (about) => ({
    path: '/v1/keys/notices?limit=500',
    shows: await about.world.noticed(about),
  }),
  'PUT /v1/keys/notices/{fingerprint}': async (about) => ({
    method: 'PUT',
    path: `/v1/keys/notices/${await about.world.noticed(about)}`,
  }),
  'GET /v1/keys/{fingerprint}': async (about) => ({ path: await pathOf(about) }),
  'DELETE /v1/keys/{fingerprint}': async (about) => ({ method: 'DELETE', path: await pathOf(about) }),
  'POST /v1/keys/{fingerprint}/challenge': async (about) => ({
    method: 'POST',
    path: `${await pathOf(about)}/challenge`,
  }),
  'POST /v1/keys/{fingerprint}/claim': async (about) => {
    const key = await about.world.key(about);
    const signed = await about.world.proof(about, key);
    return { path: `/v1/keys/${key.fingerprint}/claim`, json: { signed } };
  },
  'PUT /v1/keys/{fingerprint}/hidden': async (about) => ({
    method: 'PUT',
    path: `${await pathOf(about)}/hidden`,
    json: { hashes: [createHash('sha256').update(String(about.serial)).digest('hex')] },
  }),
  'GET /v1/keys/blocked': () => ({ path: '/v1/keys/blocked' }),
  'GET /v1/keys/blocked/{fingerprint}': async ({ world }) => ({
    path: `/v1/keys/blocked/${await world.blocked()}`,
  }),
  'PUT /v1/keys/blocked/{fingerprint}': ({ serial }) => ({
    method: 'PUT',
    path: `/v1/keys/blocked/${serial.toString(16).padStart(40, '0')}`,
  }),
  'DELETE /v1/keys/blocked/{fingerprint}': async ({ world, serial }) => ({
    method: 'DELETE',
    path: `/v1/keys/blocked/${await world.blocked(serial)}`,
  }),
  'GET /v1/keys/export': () => ({ path: '/v1/keys/export?limit=1' }),
  'POST /v1/keys/check': () => ({ path: '/v1/keys/check', json: {} }),
  'POST /v1/keys/import': ({ world: { spare } }) => ({
    method: 'POST',
    path: '/v1/keys/import',
    body: Buffer.concat(readArmor(spare.armored)),
  }),
  'GET /v1/keyrings/{file}': (about) => ({ path: `/v1/keyrings/${ringOf(about)}.asc` }),
  'PUT /v1/keyrings/{organisation}/keys/{fingerprint}': async (about) => {
    const { fingerprint } = await about.world.ownOf(about.caller.account ?? 'stranger');
    return { method: 'PUT', path: `/v1/keyrings/${ringOf(about)}/keys/${fingerprint}` };
  },
  'DELETE /v1/keyrings/{organisation}/keys/{fingerprint}': async (about) => ({
    method: 'DELETE',
    path: `/v1/keyrings/${about.missing ? 'nobodys' : VAULT}/keys/${await about.world.inKeyring(about)}`,
  }),
});
