import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { within } from '../soak/until.mjs';
import { untilNothing } from '../soak/until.mjs';
import { good } from './ask.mjs';
import { Attempts } from './attempts.mjs';
import { askForTicket, submitBuild } from './builds.mjs';
import { claimsOf, forge } from './forging.mjs';
import { Pushes } from './pushes.mjs';
import { openLog } from './sockets.mjs';
import { newId, World } from './world.mjs';

/** So long after the command every service refuses what is old. */
const SECONDS = 2;
const run = promisify(execFile);

/** A signing key has leaked: whoever has it makes any token, until one command ends it at every service. */
export async function retire(options) {
  const attempts = new Attempts();
  const world = await World.prepare(options, {
    processes: { auth: 'auth', services: 'keystore,library,builder', worker: 'worker' },
    queue: true,
  });
  try {
    await world.start('auth', 'services');
    const ann = await world.user();
    const pushes = new Pushes(world, ann);
    const container = await pushes.container('one');
    const upload = await pushes.begin(container);
    const build = await submitBuild(world, ann);
    const waiting = await submitBuild(world, ann);
    const worker = await world.keyOf('worker');
    const ticket = await good(askForTicket(world, build, worker, newId()));

    const stolen = world.signingKey();
    const minted = await forge(stolen, { ...claimsOf(world.admin), jti: newId() });
    const claims = claimsOf(ticket.libraryToken);
    const mintedForJob = await forge(stolen, {
      ...claims,
      subject: { ...claims.subject, container: `${ann.name}/a/b` },
    });
    const old = {
      'a token of a person': ann.token,
      'the administrator’s': world.admin,
      'one that was made with the stolen key': minted,
    };
    const looks = [
      ['auth', '/v1/rbac/users/current'],
      ['keystore', '/v1/rbac/users/current'],
      ['library', '/v1/entities'],
      ['builder', '/v1/build'],
    ];
    // What is said in the guide: until then the stolen key opens everything.
    for (const [what, token] of Object.entries(old))
      for (const [service, path] of looks)
        await good(world.at(service, path, { token })).catch((error) =>
          Promise.reject(new Error(`${what} at ${service}: ${error.message}`)),
        );
    await good(world.at('auth', '/v1/auth/users', { token: minted }));
    const stream = await openLog(world, build, { token: ann.token });

    const said = await retireByCommand(world, options);
    const { retired, signs } = JSON.parse(said).keys;
    attempts.same('the key that was retired', retired, [stolen.kid]);
    const begin = performance.now();
    const all = [
      ...Object.entries(old).flatMap(([what, token]) =>
        looks.map(([service, path]) => [what, service, path, token]),
      ),
      ['the token of a worker', 'builder', `/v1/build/${build}/_context`, ticket.builderToken],
      ['the token of a push', 'library', '/v1/entities', ticket.libraryToken],
      ['one for a push that was made with the stolen key', 'library', '/v1/entities', mintedForJob],
    ];
    for (const [what, service, path, token] of all) {
      await untilNothing(
        `${what} at ${service}`,
        async () => ((await world.at(service, path, { token })).status === 401 ? [] : ['taken']),
        SECONDS * 1000,
      );
      attempts.count += 1;
    }
    attempts.same(
      'how a log ends that was opened before',
      await within(SECONDS * 1000, 'the end of a log', stream.closed),
      1008,
    );
    const seconds = (performance.now() - begin) / 1000;
    if (seconds > SECONDS)
      throw new Error(`Expected everything old to end within ${SECONDS} s, took ${seconds} s`);
    await attempts.refused(
      'an upload address from before',
      world.ask(upload.address, { method: 'PUT', body: upload.bytes }),
    );
    await attempts.refused(
      'the ticket of a build from before',
      askForTicket(world, waiting, worker, newId()),
      410,
    );
    const later = await forge(stolen, {
      ...claimsOf(minted),
      jti: newId(),
      iat: Math.floor(Date.now() / 1000),
    });
    for (const [service, path] of looks)
      await attempts.refused(
        `a token that is made with the stolen key now, at ${service}`,
        world.at(service, path, { token: later }),
      );

    // And everybody goes on with a new one.
    const fresh = await world.token(ann.name, ['library:read', 'library:write', 'build', 'keystore:write']);
    for (const token of [fresh.token, world.admin])
      for (const [service, path] of looks) await good(world.at(service, path, { token }));
    const published = (await world.at('auth', '/.well-known/jwks.json')).body.keys.map(({ kid }) => kid);
    attempts.same('the keys that are published', published, [signs]);
    const [entry] = await world.trail('action=signing-key.retire&service=auth', 1);
    attempts.same('who did it', [entry.subject.name, entry.actor.username], [stolen.kid, 'admin']);
  } finally {
    await world.stop();
  }
  return `${attempts.count} attempts with what the old key signed, all refused within ${SECONDS} s of scs keys retire`;
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
  const { stdout } = await run(process.execPath, [program, 'keys', 'retire', '--force', '--json'], { env });
  return stdout;
}
