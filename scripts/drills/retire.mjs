import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { untilNothing, within } from '../soak/until.mjs';
import { good } from './ask.mjs';
import { Attempts } from './attempts.mjs';
import { askForTicket, submitBuild } from './builds.mjs';
import { claimsOf, forge } from './forging.mjs';
import { Pushes } from './pushes.mjs';
import { openLog } from './sockets.mjs';
import { newId, World } from './world.mjs';

/** So long after the command every service refuses what is old. */
const SECONDS = 3;
const run = promisify(execFile);

/** A token is shown at each of these, by the service that answers. */
const LOOKS = [
  ['auth', '/v1/rbac/users/current'],
  ['keystore', '/v1/rbac/users/current'],
  ['library', '/v1/entities'],
  ['builder', '/v1/build'],
];

/** A signing key has leaked: whoever has it makes any token, until one command ends it at every service. */
export async function retire(options) {
  const attempts = new Attempts();
  const world = await World.prepare(options, {
    processes: { auth: 'auth', services: 'keystore,library,builder', worker: 'worker' },
    queue: true,
  });
  try {
    await world.start('auth', 'services');
    const stolen = world.signingKey();
    const before = await everythingSigned(world, stolen);
    const said = await retireByCommand(world, options);
    const { retired, signs } = JSON.parse(said).keys;
    attempts.same('the keys that were retired', retired, [stolen.kid]);
    await nothingOldIsTaken(world, attempts, before);
    const later = { ...claimsOf(before.people['one that was made with the stolen key']), jti: newId() };
    for (const [service, path] of LOOKS) {
      const token = await forge(stolen, { ...later, iat: Math.floor(Date.now() / 1000) });
      const asked = world.at(service, path, { token });
      await attempts.refused(`a token that is made with the stolen key now, at ${service}`, asked);
    }
    await everybodyGoesOn(world, before.ann);
    const published = (await world.at('auth', '/.well-known/jwks.json')).body.keys.map(({ kid }) => kid);
    attempts.same('the keys that are published', published, [signs]);
    const [entry] = await world.trail('action=signing-key.retire', 1);
    attempts.same('who did it', [entry.subject.name, entry.actor.username], [stolen.kid, 'admin']);
  } finally {
    await world.stop();
  }
  return `${attempts.count} attempts with what the old key signed, all refused within ${SECONDS} s of scs signing-key retire`;
}

/** One of everything that hangs on the key, and what a thief makes with it; all of it is good now. */
async function everythingSigned(world, stolen) {
  const ann = await world.user();
  const pushes = new Pushes(world, ann);
  const upload = await pushes.begin(await pushes.container('one'));
  const [build, waiting] = [await submitBuild(world, ann), await submitBuild(world, ann)];
  const worker = await world.keyOf('worker');
  const ticket = await good(askForTicket(world, build, worker, newId()));
  const minted = await forge(stolen, { ...claimsOf(world.admin), jti: newId() });
  const push = claimsOf(ticket.libraryToken);
  const mintedForPush = await forge(stolen, {
    ...push,
    subject: { ...push.subject, container: `${ann.name}/a/b` },
  });
  const people = {
    'a token of a person': ann.token,
    'the administrator’s': world.admin,
    'one that was made with the stolen key': minted,
  };
  // What the guide says: until it is retired, the stolen key opens everything.
  for (const token of Object.values(people))
    for (const [service, path] of LOOKS) await good(world.at(service, path, { token }));
  await good(world.at('auth', '/v1/auth/users', { token: minted }));
  const jobs = [
    ['the token of a worker', 'builder', `/v1/build/${build}/_context`, ticket.builderToken],
    ['the token of a push', 'library', '/v1/entities', ticket.libraryToken],
    ['one for a push that was made with the stolen key', 'library', '/v1/entities', mintedForPush],
  ];
  const stream = await openLog(world, build, { token: ann.token });
  return { ann, people, jobs, upload, waiting, worker, stream };
}

async function nothingOldIsTaken(world, attempts, { people, jobs, upload, waiting, worker, stream }) {
  const begin = performance.now();
  const all = [
    ...Object.entries(people).flatMap(([what, token]) =>
      LOOKS.map(([service, path]) => [what, service, path, token]),
    ),
    ...jobs,
  ];
  for (const [what, service, path, token] of all) {
    const look = async () => ((await world.at(service, path, { token })).status === 401 ? [] : ['taken']);
    await untilNothing(`acceptance of ${what} at ${service}`, look, SECONDS * 1000);
    attempts.count += 1;
  }
  const code = await within(SECONDS * 1000, 'the end of a log', stream.closed);
  attempts.same('how a log ends that was opened before', code, 1008);
  const seconds = (performance.now() - begin) / 1000;
  if (seconds > SECONDS)
    throw new Error(`Expected everything old to end within ${SECONDS} s, took ${seconds} s`);
  const sending = world.ask(upload.address, { method: 'PUT', body: upload.bytes });
  await attempts.refused('an upload address from before', sending);
  const asking = askForTicket(world, waiting, worker, newId());
  await attempts.refused('the ticket of a build from before', asking, 410);
}

async function everybodyGoesOn(world, { name }) {
  const fresh = await world.token(name, ['library:read', 'library:write', 'build', 'keystore:write']);
  for (const token of [fresh.token, world.admin])
    for (const [service, path] of LOOKS) await good(world.at(service, path, { token }));
}

/** As an administrator types it on the machine of auth. @returns what it prints */
async function retireByCommand(world, { checkout }) {
  const { home, url, pid } = world.process('auth');
  const endpoint = {
    url,
    caFile: world.site.caFile,
    tokenFile: 'admin.token',
    username: 'admin',
    pid,
    version: '0',
  };
  // What `scripts/up` leaves for the command.
  writeFileSync(join(home, 'endpoint.json'), JSON.stringify(endpoint));
  const program = join(checkout, 'dist/cli/scs.cjs');
  const env = { PATH: process.env.PATH, SCS_HOME: home };
  const { stdout } = await run(process.execPath, [program, 'signing-key', 'retire', '--force', '--json'], {
    env,
  });
  return stdout;
}
