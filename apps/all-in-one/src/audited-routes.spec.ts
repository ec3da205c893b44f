import { expect, test } from 'vitest';
import type { ScsConfig } from '#libs/config';
import { AUDIT_ACTIONS, SERVICE_NAMES } from '#libs/contract';
import { routesOf } from '#libs/server';
import { chosenModules } from './modules.js';

const everything = { services: SERVICE_NAMES } as unknown as ScsConfig;

/** Routes that change something and whose refusals are not recorded, with the reason. */
const NOT_AUDITED: Readonly<Record<string, string>> = {
  'PUT /v2/upload/:upload/:part':
    'bytes for a signed address; what they become is recorded when they are complete',
  'POST /v1/build-context': 'bytes for a build; the build is recorded',
  'PUT /v1/build-context/:digest/_upload': 'bytes for a signed address',
  'DELETE /v1/build-context/:digest': 'gives up what only its own account can see',
  'POST /v1/convert-def-file': 'gives an answer, and keeps nothing',
  'POST /v1/build/:id/_ticket': 'a worker takes a build; its submit and its end are recorded',
  'PUT /v1/build/:id/_log': 'lines of a build that runs',
  'POST /pks/hashquery': 'not offered',
  'POST /pks/v2/*': 'not offered',
  'PUT /pks/v2/*': 'not offered',
  'POST /v1/auth/uses': 'when a token was used, for its owner',
  'POST /v1/keys/:fingerprint/challenge': 'gives a text, and keeps nothing',
  'PUT /v1/keys/notices/:fingerprint': 'says that one has read what nobody else sees',
};

const changing = async () =>
  routesOf(await chosenModules(everything)).filter(
    ({ method }) => !['GET', 'HEAD', 'OPTIONS'].includes(method),
  );

test('every route that changes something says which action of the audit trail it is', async () => {
  const silent = (await changing())
    .filter(({ access }) => access.action === undefined)
    .map(({ method, path }) => `${method} ${path}`);
  expect(silent.toSorted()).toEqual(Object.keys(NOT_AUDITED).toSorted());
});

test('every action is one that a route can record', async () => {
  const actions = new Set((await changing()).map(({ access }) => access.action));
  const others = [
    // Another outcome of a request that says key.add or tag.set.
    'key.change',
    'tag.move',
    // With any request that brings a password; and by the service itself.
    'password.check',
    'signing-key.publish',
    // By the service itself, when it has hashed a blob; and with the push that replaces it.
    'blob.damage',
    'blob.mend',
    // By the service itself, when the end of a key comes near; when a key takes a signature along.
    'key.notice',
    'image.unsign',
  ];
  const unknown = Object.values(AUDIT_ACTIONS)
    .flat()
    .filter((action) => !actions.has(action) && !others.includes(action));
  expect(unknown).toEqual([]);
});
