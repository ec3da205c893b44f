import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { untilNothing } from '../soak/until.mjs';
import { good } from './ask.mjs';
import { Attempts } from './attempts.mjs';
import { buildRecord, submitBuild } from './builds.mjs';
import { ForgedQueue } from './forged-queue.mjs';
import { startedBy } from './meter.mjs';
import { newId, World } from './world.mjs';

/** Jobs that somebody puts straight into Redis: nothing is started for them, and no record says anything else than before. */
export async function jobs(options) {
  const attempts = new Attempts();
  const world = await World.prepare(options, {
    processes: { services: 'auth,library,builder', worker: 'worker' },
    queue: true,
  });
  let queue;
  try {
    await world.start('services');
    const [ann, bob] = [await world.user(), await world.user()];
    const done = await submitBuild(world, ann);
    queue = new ForgedQueue(world.queue.as('worker'));
    const replay = await queue.copy(done);
    // Their calls are taken away, and come later: one build has lost its rights then.
    const [bare, waiting] = [await submitBuild(world, ann), await submitBuild(world, bob)];
    await Promise.all([bare, waiting].map((id) => queue.take(id)));
    removeTokens(world, bare);
    // What reads the database sees it with the next change.
    await submitAndCancel(world, ann, queue);
    await world.start('worker');

    const { pid } = world.process('worker');
    const { running } = startedBy(pid);
    const quiet = () =>
      untilNothing('processes of a build that is over', () =>
        startedBy(pid).running > running ? [pid] : [],
      );
    await ended(world, done, ann);
    await quiet();
    const idle = startedBy(pid);
    // One of its own is seen: so would be those of the others.
    await ended(world, await submitBuild(world, ann), ann);
    await quiet();
    const busy = startedBy(pid);
    if (busy.ended === idle.ended)
      throw new Error('Expected a build to start processes that are seen, saw none');
    const before = await records();

    // The call for a build that never was wakes a worker, too.
    const wake = async () => {
      const id = newId();
      await queue.add(id, { id });
    };
    const strange = {
      'the id of another build': () => queue.add(newId(), { id: waiting }),
      'no job at all': () => queue.put(newId()).then(wake),
      'no id': () => queue.add(undefined, { id: waiting }),
      'another build under its id': () => queue.add(waiting, { id: done }),
      'fields that nobody added': () => queue.add(waiting, { id: waiting, definition: 'bootstrap: scratch' }),
      'a token': () => queue.add(done, { id: done, builderToken: ann.token }),
      'another kind of work': () => queue.add(waiting, { id: waiting }, { name: 'bake' }),
      'a path': () => queue.add(newId(), { id: '../../etc/passwd' }),
      'a list': () => queue.add(newId(), [waiting]),
    };
    const vain = {
      'a build that never was': wake,
      'a build that is over': () => queue.add(done, { id: done }),
      'the very job that was done': () => queue.put(done, replay).then(wake),
    };
    for (const [what, put] of Object.entries({ ...strange, ...vain })) {
      await put();
      await queue.drained();
      attempts.same(`processes for ${what}`, startedBy(pid), busy);
      attempts.same(`the records of builds after ${what}`, await records(), before);
    }
    attempts.same('jobs that the worker names as refused', refusedIn(world), Object.keys(strange).length);

    // A build whose rights are gone is not begun either, and says so.
    await queue.add(bare, { id: bare });
    await queue.drained();
    attempts.same('processes for a build without its tokens', startedBy(pid), busy);
    const { isComplete, startTime, failureReason = '' } = await buildRecord(world, bare, ann);
    attempts.same('a build without its tokens', [isComplete, startTime ?? null], [true, null]);
    attempts.same('why it ended', /rights .* not there/.test(failureReason), true);

    // And the worker is not just asleep.
    await queue.add(waiting, { id: waiting });
    await ended(world, waiting, bob);

    async function records() {
      return [await buildRecord(world, done, ann), await buildRecord(world, waiting, bob)];
    }
  } finally {
    await queue?.close();
    await world.stop();
  }
  return `${attempts.count} attempts with jobs of somebody else, nothing was started`;
}

async function ended(world, id, user) {
  await untilNothing('builds that run', async () =>
    (await buildRecord(world, id, user)).isComplete ? [] : [id],
  );
}

async function submitAndCancel(world, user, queue) {
  const id = await submitBuild(world, user);
  await queue.take(id);
  await good(world.at('builder', `/v1/build/${id}/_cancel`, { method: 'PUT', token: user.token }));
}

/** As somebody does it who can write to the builder's database. */
function removeTokens(world, id) {
  const database = new Database(join(world.of('builder').home, 'data/builder/builder.sqlite'));
  const { value } = database.prepare('SELECT value FROM builds WHERE id = ?').get(id);
  const { tokens: _, ...rest } = JSON.parse(value);
  database
    .prepare('UPDATE builds SET value = ?, revision = revision + 1 WHERE id = ?')
    .run(JSON.stringify(rest), id);
  database.close();
}

function refusedIn(world) {
  const log = readFileSync(join(world.process('worker').home, 'log/server.log'), 'utf8');
  return log.split('\n').filter((line) => line.includes('was not added by this instance')).length;
}
