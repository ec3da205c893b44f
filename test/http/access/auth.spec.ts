import { EXCHANGE_WORDS } from '#libs/contract';
import { AuthThings, MEMBER, ROBOT } from './auth-things.js';
import { describeAccess } from './matrix.js';
import { BYSTANDER, form, PASSWORD } from './world.js';

const ORGANISATIONS = '/v1/auth/organisations';

describeAccess('auth', () => AuthThings.prepare(), {
  'POST /v1/auth/tokens': (about) => ({
    path: '/v1/auth/tokens',
    json: { name: 'new', scopes: ['library:read'], username: about.world.account(about) },
  }),
  'GET /v1/auth/tokens': (about) => ({ path: `/v1/auth/tokens?username=${about.world.account(about)}` }),
  'DELETE /v1/auth/tokens/{id}': async (about) => {
    const { id, headers = {} } =
      about.object === 'itself' ? await about.world.ending(about) : { id: await about.world.endable(about) };
    return { method: 'DELETE', path: `/v1/auth/tokens/${id}`, headers };
  },
  'POST /v1/auth/users': ({ serial }) => ({
    path: '/v1/auth/users',
    json: { username: `new${serial}`, password: PASSWORD },
  }),
  'GET /v1/auth/users': () => ({ path: '/v1/auth/users' }),
  'GET /v1/auth/users/{username}': (about) => ({ path: `/v1/auth/users/${about.world.account(about)}` }),
  'PATCH /v1/auth/users/{username}': (about) => ({
    method: 'PATCH',
    path: `/v1/auth/users/${about.world.account(about)}`,
    json: { displayName: `Called ${about.serial}` },
  }),
  'PUT /v1/auth/users/{username}/password': (about) => {
    const username = about.world.account(about);
    about.world.world.endsSession(username);
    const json = { password: PASSWORD };
    return { method: 'PUT', path: `/v1/auth/users/${username}/password`, json };
  },
  'POST /v1/auth/organisations': ({ serial }) => ({
    path: ORGANISATIONS,
    json: { name: `new${serial}`, owner: BYSTANDER },
  }),
  'GET /v1/auth/organisations': (about) => ({
    path: ORGANISATIONS,
    shows: `"name":"${about.world.organisation(about)}"`,
  }),
  'GET /v1/auth/organisations/{name}': (about) => ({
    path: `${ORGANISATIONS}/${about.world.organisation(about)}`,
  }),
  'PATCH /v1/auth/organisations/{name}': (about) => ({
    method: 'PATCH',
    path: `${ORGANISATIONS}/${about.world.organisation(about)}`,
    json: { displayName: `Called ${about.serial}` },
  }),
  'GET /v1/auth/organisations/{name}/members': (about) => ({
    path: `${ORGANISATIONS}/${about.world.organisation(about)}/members`,
  }),
  'PUT /v1/auth/organisations/{name}/members/{username}': (about) => ({
    method: 'PUT',
    path: `${ORGANISATIONS}/${about.world.organisation(about)}/members/${MEMBER}`,
    json: { role: about.serial % 2 === 0 ? 'reader' : 'writer' },
  }),
  'DELETE /v1/auth/organisations/{name}/members/{username}': async (about) => {
    const { username, ...rest } = await about.world.member(about);
    const path = `${ORGANISATIONS}/${about.world.organisation(about)}/members/${username}`;
    return { method: 'DELETE', path, ...rest };
  },
  'GET /v1/auth/organisations/{name}/robots': (about) => ({
    path: `${ORGANISATIONS}/${about.world.organisation(about)}/robots`,
  }),
  'POST /v1/auth/organisations/{name}/robots': (about) => ({
    path: `${ORGANISATIONS}/${about.world.organisation(about)}/robots`,
    json: { name: `new${about.serial}`, role: 'reader' },
  }),
  'PATCH /v1/auth/organisations/{name}/robots/{robot}': (about) => ({
    method: 'PATCH',
    path: `${ORGANISATIONS}/${about.world.organisation(about)}/robots/${ROBOT}`,
    json: { displayName: `Called ${about.serial}` },
  }),
  'GET /v1/token-status': () => ({ path: '/v1/token-status' }),
  'POST /v1/auth/uses': () => ({ path: '/v1/auth/uses', json: { address: '127.0.0.1', client: 'matrix' } }),
  'POST /v1/auth/token': async (about) => {
    const {
      caller,
      rule,
      object,
      world: { world },
    } = about;
    const proof = await world.proofOf('builder', 'auth');
    return {
      path: '/v1/auth/token',
      ...form({
        grant_type: EXCHANGE_WORDS.grantType,
        subject_token: await world.tokenOf(caller, rule, { service: 'auth' }),
        subject_token_type: EXCHANGE_WORDS.accessToken,
        client_assertion_type: EXCHANGE_WORDS.clientAssertion,
        client_assertion: object === 'forged' ? `${proof.slice(0, -20)}${'A'.repeat(20)}` : proof,
        audience: 'builder',
        scope: 'build',
        job: 'some-build',
        container: 'somewhere/tools/application',
        lifetime: '60',
      }),
    };
  },
  'POST /v1/auth/signing-keys/retire': ({ world: { world } }) => ({
    method: 'POST',
    path: '/v1/auth/signing-keys/retire',
    after: () => world.forgetTokens(),
  }),
  'GET /.well-known/jwks.json': () => ({ path: '/.well-known/jwks.json' }),
  'GET /v1/auth/revocations': () => ({ path: '/v1/auth/revocations' }),
  'GET /auth/sign-in': () => ({ path: '/auth/sign-in' }),
  'POST /auth/sign-in': ({ object, missing, world: { world } }) => {
    const username = missing ? 'nobody' : BYSTANDER;
    const asked = form({ username, password: object === 'forged' ? `no ${PASSWORD}` : PASSWORD });
    return { path: '/auth/sign-in', ...asked, headers: { ...asked.headers, ...world.elsewhere() } };
  },
  'POST /auth/sign-out': async (about) => {
    const proof = await about.world.formProof(about);
    const ends = about.object === 'proven' && about.caller.shows === 'session';
    const { account } = about.caller;
    return {
      path: '/auth/sign-out',
      ...form({ proof }),
      ...(ends && { after: async () => about.world.world.endsSession(account ?? '') }),
    };
  },
  'GET /auth/account': () => ({ path: '/auth/account' }),
  'POST /auth/account/tokens': async (about) => ({
    path: '/auth/account/tokens',
    ...form({
      proof: await about.world.formProof(about),
      name: 'new',
      days: '30',
      place: '',
      'library:read': 'on',
    }),
  }),
  'POST /auth/account/tokens/{id}/revoke': async (about) => ({
    path: `/auth/account/tokens/${await about.world.endable(about)}/revoke`,
    ...form({ proof: await about.world.formProof(about) }),
  }),
});
