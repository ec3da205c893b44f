import { createHash } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { untilNothing } from '../until.mjs';
import { succeed } from './many.mjs';
import { lackingWays, waysOf } from './ways.mjs';

/** Who is killed, by the names of processes; besides the command itself, anybody, and everybody at once. */
const NAMES = {
  payload: ['sh', 'cat', 'dd', 'sleep', 'busybox'],
  server: ['sing-image'],
  init: ['sinit'],
  program: ['fuse2fs', 'fuse-overlayfs'],
};
/** Something of the image is read, and some time passes in the container: many of the moments are there. */
const PAUSE = 'cat /bin/busybox >/dev/null; sleep 0.02; ';
/** Kept files are looked at by the next ones of their way. */
const LOOKED_AT = 20;
/** How often everything is looked at, which waits for shared image servers to end. */
const LOOK = 50;
/** Who waits for a layer that somebody is still writing gets two seconds; on a busy machine a process takes its time to end. */
const PATIENCE = 10_000;

/**
 * Starts in a random way, during which somebody is killed at a random moment. Whatever happened, the same command works at once, has what was kept by those that
 * ended well, and nothing is left. @throws Error that has what was done last
 */
export async function killedStarts(world, { times, random }) {
  const rounds = [];
  for (const way of waysOf(world)) rounds.push(await Rounds.of(world, way));
  const killed = new Map();
  const history = [];
  const requireNothing = async () => {
    // What nobody was left to remove goes with the next command; right after the kill some process may still have been ending.
    for (const { way } of rounds) await way.clean?.();
    await world.traces.requireNothing('of containers after kills', 2);
  };
  try {
    for (let number = 0; number < times; number += 1) {
      const about = random.oneOf(rounds);
      const victim = random.oneOf(about.way.victims);
      const moment = random.between(0, Math.ceil(about.time * 1100)) / 1000;
      history.push(`${number}: ${about.way.name}, ${victim} after ${moment.toFixed(1)} ms`);
      const name = await about.once(`k${number}`, victim, moment, random);
      history.push(`${history.pop()}: killed ${name}`);
      killed.set(name, (killed.get(name) ?? 0) + 1);
      if (number % LOOK === LOOK - 1) await requireNothing();
    }
    await requireNothing();
  } catch (error) {
    throw new Error(`${error.message}\nlast rounds:\n${history.slice(-LOOK).join('\n')}`, { cause: error });
  }
  const counts = [...killed]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, count]) => `${name} ${count}`);
  const kept = rounds.reduce((sum, { kept: { size } }) => sum + size, 0);
  return `${times} kills (${counts.join(', ')}) in ${rounds.length} ways, ${kept} files kept, nothing lost or left${lackingWays()}`;
}

/** The rounds of one way. */
class Rounds {
  /** Contents of what was acknowledged: by a command that ended with 0. */
  kept = new Map();
  /** Milliseconds that an undisturbed one takes. */
  time = 0;

  constructor(world, way) {
    this.world = world;
    this.way = way;
  }

  static async of(world, way) {
    const rounds = new Rounds(world, way);
    for (const name of ['first', 'second']) {
      const begin = performance.now();
      await succeed(way, way.steps(name, PAUSE), name);
      rounds.time = performance.now() - begin;
    }
    return rounds;
  }

  /** @returns the name of the process that was killed; `nobody` when there was none any more */
  async once(name, victim, moment, random) {
    const { way, world } = this;
    const before = new Set(world.traces.processes().map(({ pid }) => pid));
    const running = new Running(way, way.steps(name, PAUSE));
    await until(performance.now() + moment);
    const killed = this.#kill(victim, running.pid, before, random);
    await running.ended;
    if (running.worked && way.keeps) this.kept.set(name, running.input);
    if (killed === 'nobody' && !running.worked) throw new Error(`Expected it to work, got ${running.said}`);
    await way.clean?.();
    const again = way.steps(`${name}-again`);
    await succeed(way, again, `after ${killed} was killed`);
    if (way.keeps) this.kept.set(`${name}-again`, again[0].input);
    await this.#lookAtKept();
    const but = way.idle > 0 ? ['sing-image'] : [];
    await untilNothing(
      'process or mount to be left',
      () => world.traces.live(but).filter((line) => !isOneOf(before, line)),
      PATIENCE,
    );
    return killed;
  }

  #kill(victim, command, before, random) {
    const { idle, person } = this.way;
    const all = this.world.traces
      .processes()
      // Image servers of starts before are shared with this one, or have nothing to do with it: what a dead one leaves goes with the next start that shares.
      .filter(
        ({ pid, name, user }) =>
          !before.has(pid) || (idle > 0 && name === 'sing-image' && user === person.uid),
      );
    const wanted = all.filter(({ pid, name }) =>
      victim === 'sing' ? pid === command : NAMES[victim]?.includes(name),
    );
    // Anybody, where that one is not there yet, or not any more.
    const found = wanted.length > 0 ? wanted : all;
    if (found.length === 0) return 'nobody';
    if (victim !== 'everybody') return killOne(random.oneOf(found));
    for (const one of found) killOne(one);
    return 'everybody';
  }

  /** @throws Error when a file that was kept is not there, or has another content */
  async #lookAtKept() {
    const files = [...this.kept].slice(-LOOKED_AT);
    if (files.length === 0) return;
    const sum = (content) => createHash('sha256').update(content).digest('hex');
    const expected = files.map(([name, content]) => `${sum(content)}  ${name}\n`).join('');
    const words = this.way.sums(files.map(([name]) => name));
    await succeed(this.way, [{ words, expected }], 'looking at what was kept');
  }
}

/** @returns its name; `nobody` when it ended meanwhile */
function killOne({ pid, name }) {
  try {
    process.kill(pid, 'SIGKILL');
    return name;
  } catch {
    return 'nobody';
  }
}

/** Steps that follow each other as long as they work. */
class Running {
  worked = false;
  said = '';

  constructor(way, steps) {
    this.input = steps[0].input;
    this.ended = this.#run(way.person, steps);
    // It is awaited a moment later.
    this.ended.catch(() => undefined);
  }

  async #run(person, steps) {
    for (const { words, input, expected } of steps) {
      const { child, ended } = person.start(words, input);
      this.pid = child.pid;
      const { status, signal, stdout, stderr } = await ended;
      this.said = `${signal ?? status}: ${stdout.slice(0, 200)}${stderr}`;
      if (status !== 0) return;
      if (stdout !== expected) throw new Error(`Expected what the container says, got ${this.said}`);
    }
    this.worked = true;
  }
}

/** Whether these words are about one of these processes. */
function isOneOf(pids, line) {
  const [kind, number] = line.split(' ');
  return kind === 'process' && pids.has(Number(number));
}

/** Timers are as exact as milliseconds. */
async function until(moment) {
  await wait(Math.max(0, moment - performance.now() - 2));
  while (performance.now() < moment) await new Promise((settle) => void setImmediate(settle));
}
