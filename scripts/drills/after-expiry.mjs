import { good } from './ask.mjs';
import { submitBuild } from './builds.mjs';
import { claimsOf, forge } from './forging.mjs';
import { Pushes } from './pushes.mjs';
import { openLog } from './sockets.mjs';

const DAY = 86_400;
const PROOF = 'scs-download';
const SCOPES = ['library:read', 'library:write', 'build'];

/**
 * A token that has expired is good for what was begun with it, for a while, and for nothing else (ADR 10): the log of its build, further
 * ranges of its download.
 */
export async function afterExpiry(world, attempts) {
  const [ann, bob] = [await world.user(), await world.user()];
  const other = await world.token(ann.name, SCOPES);
  const expired = ({ token }, seconds = 1) =>
    forge(world.signingKey(), { ...claimsOf(token), exp: Math.floor(Date.now() / 1000) - seconds });
  const [old, othersOld, ancient] = [await expired(ann), await expired(other), await expired(ann, DAY + 1)];

  const build = await submitBuild(world, ann);
  const foreign = await submitBuild(world, bob);
  const ask = (token, id = build) => openLog(world, id, { query: `?auth_token=${token}` });
  await attempts.refused('a log with another token, which has expired', ask(othersOld));
  await attempts.refused('the log of somebody else with an expired token', ask(old, foreign));
  await attempts.refused('a log with a token that expired a day ago', ask(ancient));
  const own = await ask(old);
  attempts.same('the log of a build that was begun with the token', own.status, 101);
  own.socket.terminate();

  const pushes = new Pushes(world, { ...(await world.token(ann.name, SCOPES)), name: ann.name });
  const images = [];
  for (const name of ['one', 'two']) {
    const upload = await pushes.begin(await pushes.container(name));
    await good(world.ask(upload.address, { method: 'PUT', body: upload.bytes }));
    await pushes.complete(upload);
    images.push(`/v1/imagefile/${ann.name}/drill/${name}:${upload.hash}?arch=amd64`);
  }
  const [image, another] = images;
  const proof = (await world.at('library', image, { token: ann.token })).headers[PROOF];
  const pull = (path, token, shown) =>
    world.at('library', path, { token, ...(shown !== undefined && { headers: { [PROOF]: shown } }) });
  await attempts.refused('a download that was not begun, with an expired token', pull(image, old));
  await attempts.refused('a download of something else', pull(another, old, proof));
  await attempts.refused('a download with the proof of another token', pull(image, othersOld, proof));
  await attempts.refused('a download with a proof and a token of a day ago', pull(image, ancient, proof));
  for (const altered of [
    proof.slice(0, -1),
    `${proof}A`,
    proof.replace(/\d+/, (until) => String(Number(until) + 1)),
  ])
    if (altered !== proof)
      await attempts.refused('a download with an altered proof', pull(image, old, altered));
  await good(pull(image, old, proof));
  for (const [method, path] of [
    ['POST', '/v1/entities'],
    ['GET', '/v1/build'],
    ['POST', '/v1/build'],
  ])
    await attempts.refused(
      `${method} ${path} with an expired token`,
      world.at('library', path, { method, token: old, headers: { [PROOF]: proof } }),
    );

  await world.revoke(ann.id);
  await attempts.refused('a log with an expired token that was revoked', ask(old));
  await attempts.refused('a download with an expired token that was revoked', pull(image, old, proof));
}
