import { afterAll, beforeAll, expect, test } from 'vitest';
import { startLibrary, type StockClient, testImage, type World } from './world.js';

/*
 * What SingularityCE 4.3.2 and Apptainer 1.4.1 print of a refusal is `error.message` and the status, nothing else of the envelope:
 * what helps has to be in there, or nobody sees it.
 */

const AGENT = 'Singularity-Ce/4.3.2 (Linux amd64) Go/1.26.8';

let world: World;
let owner: StockClient;
let container: string;
let tokens: Record<'stranger' | 'reader' | 'owner', string>;
beforeAll(async () => {
  world = await startLibrary();
  const { authority } = world;
  tokens = {
    owner: await authority.token({ username: 'tester' }),
    stranger: await authority.token({ username: 'other' }),
    reader: await authority.token({ username: 'tester', scopes: ['library:read'] }),
  };
  owner = world.client(tokens.owner);
  const pushed = await owner.push('tester/proj/busy', await testImage({}), { tags: ['1'] });
  container = pushed.container;
  await owner.push('tester/proj/frozen', await testImage({}), { tags: ['1'] });
  await owner.send('PATCH', '/v1/manage/containers/tester/proj/frozen', { readOnly: true });
  await owner.send('PATCH', '/v1/manage/containers/tester/proj/busy', { protectedTags: ['1'] });
});
afterAll(() => world.stop());

/** What a stock client prints, without its own words around it. */
async function printed(method: string, path: string, token: string | undefined, body?: object) {
  const { status, body: answer } = await world.app.request(path, {
    method,
    headers: { 'user-agent': AGENT, ...(token !== undefined && { authorization: `Bearer ${token}` }) },
    ...(body && { body: JSON.stringify(body) }),
  });
  return { status, message: answer.error.message as string };
}

test('a token that is none: how to get one', async () => {
  expect(await printed('GET', '/v1/images/tester/proj/busy:1?arch=amd64', 'x'.repeat(40))).toEqual({
    status: 401,
    message:
      'The token is not valid here. Make another one (page /auth/tokens of this instance), and log in with it',
  });
});

test('no token at all: how to get one', async () => {
  const { status, message } = await printed('DELETE', '/v1/images/tester/proj/busy:1?arch=amd64', undefined);
  expect([status, message]).toEqual([
    401,
    expect.stringMatching(/^A token is needed\. Log in with one first/),
  ]);
});

test('a place of somebody else: whom to ask', async () => {
  const { status, message } = await printed('POST', '/v1/entities', tokens.stranger, { name: 'tester' });
  expect([status, message]).toEqual([
    403,
    'tester belongs to somebody else: tester cannot be created. Ask an owner of tester; the entity of an account is called as the account is',
  ]);
});

test('a token that allows too little: which one does', async () => {
  const image = { Arch: 'amd64', Tag: '2', ImageID: 'a'.repeat(24) };
  const { status, message } = await printed('POST', `/v2/tags/${container}`, tokens.reader, image);
  expect([status, message]).toEqual([
    403,
    'The token lacks the scope library:create. Use a token that was made with the scope library:create',
  ]);
});

test('a container that takes no more: where else', async () => {
  const found = await owner.get('/v1/containers/tester/proj/frozen');
  const image = { hash: `sha256.${'0'.repeat(64)}`, container: found.body.data.id as string };
  const { status, message } = await printed('POST', '/v1/images', tokens.owner, image);
  expect([status, message]).toEqual([
    403,
    'tester/proj/frozen is read-only: it takes no more images. Push to another container, or let an owner of tester open this one',
  ]);
});

test('a protected tag: which other one', async () => {
  const { status, message } = await printed(
    'DELETE',
    '/v1/images/tester/proj/busy:1?arch=amd64',
    tokens.owner,
  );
  expect([status, message]).toEqual([
    409,
    'The tag 1 is protected by "1": it stays with its image. Take another tag; owners change what is protected',
  ]);
});

test('others read what helps in a field of its own', async () => {
  const { body } = await world.app.request('/v1/entities', { method: 'POST', body: '{"name":"tester"}' });
  expect(body.error).toMatchObject({
    message: 'A token is needed',
    remedy: 'Log in with one first; page /auth/tokens of this instance makes them',
  });
});
