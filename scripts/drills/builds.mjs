import { proofAudience } from '#libs/server';
import { good } from './ask.mjs';

const SCRATCH = 'bootstrap: scratch\n%runscript\necho hi\n';

/** Submits a build of nothing as somebody; its id. */
export async function submitBuild(world, { token }, { libraryRef = '', definition = SCRATCH } = {}) {
  const definitionRaw = Buffer.from(definition).toString('base64');
  return (await good(world.at('builder', '/v1/build', { token, json: { definitionRaw, libraryRef } }))).id;
}

/** The record of a build, as its owner sees it. */
export const buildRecord = (world, id, { token }) => good(world.at('builder', `/v1/build/${id}`, { token }));

/** Asks for the ticket of a build with the proof of a service: the answer. */
export async function askForTicket(world, id, key, tryId) {
  const json = {
    clientAssertion: await key.assertion(proofAudience(await world.issuer(), 'builder')),
    tryId,
  };
  return world.at('builder', `/v1/build/${id}/_ticket`, { json });
}
