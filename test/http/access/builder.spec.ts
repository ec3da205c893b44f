import { base64, DONE, SCRATCH } from '../../support/builder.js';
import { BuilderThings, TRY } from './builder-things.js';
import { type About, describeAccess } from './matrix.js';
import { GUILD, VAULT } from './world.js';

/** Where the image of a build is to go to. */
function placeFor({ object, caller, missing }: About<BuilderThings>): string {
  const entity = object === 'own' ? caller.account : object === 'public' ? GUILD : VAULT;
  return `${missing ? 'nobodys' : entity}/tools/application`;
}

const text = { headers: { 'content-type': 'text/plain' }, body: SCRATCH };

describeAccess('builder', () => BuilderThings.prepare(), {
  'POST /v1/build': (about) => ({
    path: '/v1/build',
    json: { definitionRaw: base64(SCRATCH), libraryRef: `library://${placeFor(about)}:latest` },
  }),
  'POST /v1/build-def-file': () => ({ path: '/v1/build-def-file', ...text }),
  'GET /v1/build': async (about) => ({ path: '/v1/build?user=', shows: await about.world.build(about) }),
  'GET /v1/build/{id}': async (about) => ({ path: `/v1/build/${await about.world.build(about)}` }),
  'DELETE /v1/build/{id}': async (about) => ({
    method: 'DELETE',
    path: `/v1/build/${await about.world.build(about)}`,
  }),
  'PUT /v1/build/{id}/_cancel': async (about) => ({
    method: 'PUT',
    path: `/v1/build/${await about.world.build(about)}/_cancel`,
  }),
  'GET /v1/build-output/{id}': async (about) => ({
    path: `/v1/build-output/${await about.world.build(about)}`,
  }),
  'GET /v1/build-ws/{id}': async (about) => ({
    path: `ws:/v1/build-ws/${await about.world.build(about)}`,
  }),
  'POST /v1/build-context': ({ serial }) => ({
    path: '/v1/build-context',
    json: { size: 32, digest: `sha256.${serial.toString(16).padStart(64, '0')}` },
  }),
  'PUT /v1/build-context/{digest}/_upload': async (about) => {
    const { address, bytes } = await about.world.announced(about);
    const path = about.object === 'proven' ? address : address.replace(/mac=.*/, `mac=${'A'.repeat(43)}`);
    return { method: 'PUT', path, body: bytes };
  },
  'DELETE /v1/build-context/{digest}': async (about) => ({
    method: 'DELETE',
    path: `/v1/build-context/${(await about.world.announced(about)).digest}`,
  }),
  'POST /v1/convert-def-file': () => ({ path: '/v1/convert-def-file', ...text }),
  'POST /v1/build/{id}/_ticket': async (about) => {
    const { world } = about.world;
    // Also the other one is a service of this instance.
    const clientAssertion = await world.proofOf(about.object === 'proven' ? 'worker' : 'builder', 'builder');
    return {
      path: `/v1/build/${await about.world.build(about)}/_ticket`,
      json: { clientAssertion, tryId: TRY },
    };
  },
  'PUT /v1/build/{id}/_log': async (about) => ({
    method: 'PUT',
    path: `/v1/build/${await about.world.build(about)}/_log?offset=0&try=${TRY}`,
    body: 'hello',
    ...(await forJob(about)),
  }),
  'GET /v1/build/{id}/_context': async (about) => ({
    path: `/v1/build/${await about.world.build(about)}/_context`,
    ...(await forJob(about)),
  }),
  'PUT /v1/build/{id}/_finish': async (about) => ({
    method: 'PUT',
    path: `/v1/build/${await about.world.build(about)}/_finish?try=${TRY}`,
    json: DONE,
    ...(await forJob(about)),
  }),
});

async function forJob(about: About<BuilderThings>): Promise<{ job?: string }> {
  const job = await about.world.job(about);
  return job === undefined ? {} : { job };
}
