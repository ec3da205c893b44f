import { good } from './ask.mjs';
import { askForTicket, buildRecord, submitBuild } from './builds.mjs';
import { Pushes } from './pushes.mjs';
import { openLog } from './sockets.mjs';
import { newId } from './world.mjs';
import { within } from '../soak/until.mjs';

const OUTCOME = { outcome: 'succeeded', imageSize: 42, imageChecksum: `sha256.${'a'.repeat(64)}` };
/** One look at the feed and one at its tokens. */
const SOON = 5_000;

/** Tokens of a worker: each good for one service, one build and one place, and no longer than the token of whoever submitted the build. */
export async function jobTokens(world, attempts) {
  const [ann, bob] = [await world.user(), await world.user()];
  await new Pushes(world, ann).container('other');
  const build = await submitBuild(world, ann, { libraryRef: `library://${ann.name}/drill/built:1` });
  const foreign = await submitBuild(world, bob);
  const tryId = newId();
  const key = await world.keyOf('worker');
  const { builderToken, libraryToken, keystoreToken } = await good(askForTicket(world, build, key, tryId));
  const at = (path, method, { token = builderToken, ...rest } = {}) =>
    world.at('builder', `/v1/build${path}`, { method, token, ...rest });
  const finish = (id, name = tryId) => at(`/${id}/_finish?try=${name}`, 'PUT', { json: OUTCOME });
  const say = (id, name = tryId) => at(`/${id}/_log?offset=0&try=${name}`, 'PUT', { body: 'forged\n' });

  for (const id of [foreign, newId()]) {
    await attempts.refused('the log of another build', say(id), 403);
    await attempts.refused('the end of another build', finish(id), 403);
    await attempts.refused('the context of another build', at(`/${id}/_context`, 'GET'), 403);
  }
  for (const [path, method] of [
    [`/${build}`, 'GET'],
    [`/${build}/_cancel`, 'PUT'],
    ['', 'GET'],
  ])
    await attempts.refused(`${method} ${path} of people with the token of a worker`, at(path, method));
  for (const service of ['auth', 'library'])
    for (const token of [builderToken, keystoreToken, ...(service === 'auth' ? [libraryToken] : [])])
      await attempts.refused(
        `a token of a worker at ${service}`,
        world.at(service, service === 'auth' ? '/v1/auth/tokens' : '/v1/entities', { token, method: 'GET' }),
      );
  const entity = await good(world.at('library', `/v1/entities/${ann.name}`, { token: ann.token }));
  const push = (path, rest) => world.at('library', path, { token: libraryToken, ...rest });
  const collection = { name: 'elsewhere', entity: entity.id };
  await attempts.refused(
    'another collection with the token of a push',
    push('/v1/collections', { json: collection }),
    403,
  );
  await attempts.refused(
    'another entity with the token of a push',
    push('/v1/entities', { json: { name: bob.name } }),
    403,
  );
  const image = `/v1/images/${ann.name}/drill/other:1?arch=amd64`;
  await attempts.refused('a deletion with the token of a push', push(image, { method: 'DELETE' }), 403);

  // A try that is not the build's own is heard by nobody.
  const before = await buildRecord(world, build, ann);
  attempts.same('the log of a strange try', (await good(say(build, newId()))).wanted, false);
  await good(finish(build, newId()));
  attempts.same('a build that a strange try ended', await buildRecord(world, build, ann), before);
  await good(finish(build));
  const done = await buildRecord(world, build, ann);
  attempts.same('the log of a build that is over', (await good(say(build))).wanted, false);
  await good(finish(build));
  attempts.same('a build that was ended twice', await buildRecord(world, build, ann), done);
  await attempts.refused('the ticket of a build that is over', askForTicket(world, build, key, newId()), 410);

  await logSockets(world, attempts, { ann, bob, build: await submitBuild(world, ann), libraryToken });
  await attempts.refused('a log after the token of its build was revoked', say(build));
  const listing = world.at('library', '/v1/entities', { token: libraryToken });
  await attempts.refused('the token of a push after that of its build was revoked', listing);
}

/** `?auth_token` and the sockets that it opens. Ends the token of ann. */
async function logSockets(world, attempts, { ann, bob, build, libraryToken }) {
  const ask = (token) => openLog(world, build, { query: token === undefined ? '' : `?auth_token=${token}` });
  await attempts.refused('a log without a token', ask());
  await attempts.refused('a log with the token of somebody else', ask(bob.token), 403);
  await attempts.refused('a log with the token of a push', ask(libraryToken));
  await attempts.refused('a log with an altered token', ask(`${ann.token.slice(0, -2)}AA`));
  await attempts.refused('the log of no build', openLog(world, newId(), { token: ann.token }), 404);
  for (const path of [`/v1/build/${build}`, '/v1/build', `/v1/build-output/${build}`])
    await attempts.refused(`auth_token at ${path}`, world.at('builder', `${path}?auth_token=${ann.token}`));
  await attempts.refused(
    'POST to a log',
    world.at('builder', `/v1/build-ws/${build}`, { method: 'POST', token: ann.token }),
    404,
  );

  const open = await ask(ann.token);
  attempts.same('a log of one’s own', open.status, 101);
  await world.revoke(ann.id);
  attempts.same(
    'how a log ends when its token is revoked',
    await within(SOON, 'the end of a log', open.closed),
    1008,
  );
  await attempts.refused('a log with a revoked token', ask(ann.token));
}
