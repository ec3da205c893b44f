import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { writeCorpus } from '../../fuzz/corpus.mjs';
import { untilNothing, within } from '../until.mjs';
import { lackingWays, makeExt3 } from './ways.mjs';
import { FIRST_SUBID } from './world.mjs';

/** Between two looks at what is left. */
const BATCH = 32;
const AT_ONCE = 4;
/** Of one start; those that work take some hundredths of it. */
const PATIENCE = 30_000;
const CLEAN = 10_000;
/** No container could be started. */
const REFUSED = 255;
/** The payload's own: what it says, and what its shell says of words that are none. */
const PAYLOAD = [0, 1, 2, 7, 126, 127];
/**
 * The checks of the compiler found something; not that they themselves do not work in a process that is confined. Without them, a server of an image died, which with
 * them is always the case.
 */
const FOUND = {
  checked: /ERROR: AddressSanitizer: (?!allocator is out|out of memory)|runtime error/,
  plain: /Transport endpoint is not connected/,
};
/** Those that stay on purpose: instances, and image servers that starts share. */
const STAYING = ['sing-instance', 'sing-image'];

/**
 * Changed plans are started by an ordinary user for some seconds: by the program, and by the same code with the checks of the compiler. @throws Error when one ends in a
 * way that is none, takes too long, changes something that it may not, or leaves something
 */
export async function startedPlans(world, { times: seconds, random }) {
  const fuzz = new Fuzz(world);
  const end = performance.now() + seconds * 1000;
  const counts = new Map();
  let starts = 0;
  while (performance.now() < end) {
    const made = fuzz.make(random.between(0, 2 ** 31));
    for (let first = 0; first < made.length; first += AT_ONCE) {
      const some = made.slice(first, first + AT_ONCE);
      const statuses = await Promise.all(some.map((plan, index) => fuzz.start(plan, index % 2 === 0)));
      for (const status of statuses) counts.set(status, (counts.get(status) ?? 0) + 1);
      starts += some.length;
    }
    await fuzz.requireNothing();
  }
  const ran = starts - (counts.get(REFUSED) ?? 0);
  const kinds = [...counts]
    .sort(([one], [other]) => one - other)
    .map(([status, count]) => `${status}: ${count}`);
  return `${starts} plans started, ${ran} payloads ran (${kinds.join(', ')}), nothing changed or left${lackingWays()}`;
}

class Fuzz {
  #person;
  #world;
  #corpus;
  #fuzzer;
  #handles;
  #guarded;
  #before;

  constructor(world) {
    this.#world = world;
    this.#person = world.people[0];
    const place = dirname(this.#person.program);
    this.#fuzzer = join(place, 'core-fuzz');
    this.#guarded = join(dirname(place), 'guarded');
    this.#corpus = join(dirname(place), 'corpus');
    for (const folder of [this.#guarded, this.#corpus]) mkdirSync(folder);
    mkdirSync(join(this.#person.home, 'work'));
    this.#give(join(this.#person.home, 'work'));
    writeFileSync(join(this.#guarded, 'file'), 'guarded\n');
    for (const path of ['', 'file']) this.#give(join(this.#guarded, path));
    symlinkSync(this.#guarded, join(world.tree, 'escape'));
    const { squashfs, tree: directory } = world;
    const hasExt3 = lackingWays() === '';
    const files = { squashfs, directory, ext3: hasExt3 ? makeExt3(world, this.#person) : squashfs };
    this.#handles = Object.values(files).map((path) =>
      openSync(path, path === files.ext3 && hasExt3 ? 'r+' : 'r'),
    );
    const images = Object.entries(files).map(([name, path], index) => [
      name,
      { handle: 7 + index, path, size: name === 'directory' ? 0 : statSync(path).size },
    ]);
    writeCorpus(this.#corpus, {
      uid: this.#person.uid,
      subids: FIRST_SUBID,
      home: this.#person.home,
      guarded: this.#guarded,
      images: Object.fromEntries(images.map(([name, image]) => [name, { ...image, offset: 0 }])),
    });
    this.#before = this.#kept();
  }

  /** Plans that are accepted, of a seed. */
  make(seed) {
    const words = ['make', this.#corpus, String(seed), String(BATCH)];
    const made = execFileSync(this.#fuzzer, words, { encoding: 'utf8', maxBuffer: 2 ** 30 });
    return made.trimEnd().split('\n');
  }

  /** @returns the status with which it ended */
  async start(plan, checked) {
    const child = this.#spawn(checked ? this.#fuzzer : this.#person.program);
    child.stdio[3].on('error', () => undefined);
    child.stdio[3].end(plan);
    try {
      const ended = Promise.all([text(child.stderr), once(child, 'close')]);
      const [stderr, [status, signal]] = await within(PATIENCE, 'a plan to end', ended);
      const documented = status === REFUSED ? stderr.includes('FATAL') : PAYLOAD.includes(status);
      if (documented && !FOUND[checked ? 'checked' : 'plain'].test(stderr)) return status;
      throw new Error(`Expected a documented end, got ${signal ?? status}: ${stderr}`);
    } catch (error) {
      this.#keep(plan);
      // Whoever hangs would keep this process as well.
      for (const { pid } of this.#world.traces.processes()) end(pid);
      throw error;
    }
  }

  /** The first one: others that are started at the same time fail because they are ended. */
  #keep(plan) {
    const file = join(dirname(this.#guarded), 'failed.json');
    if (!existsSync(file)) writeFileSync(file, plan);
  }

  #spawn(program) {
    const [squashfs, directory, ext3] = this.#handles;
    const words = [program, '--execute-plan', '3'];
    const command =
      process.getuid() === 0 ? words : ['setpriv', '--ambient-caps=-all', '--inh-caps=-all', ...words];
    return spawn(command[0], command.slice(1), {
      cwd: '/',
      env: { ASAN_OPTIONS: 'detect_leaks=0:handle_abort=1:use_sigaltstack=0' },
      stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'ignore', 'ignore', 'ignore', squashfs, directory, ext3],
      ...(process.getuid() === 0 ? { uid: this.#person.uid, gid: this.#person.uid } : {}),
    });
  }

  /** Ends what stays on purpose: then there may be no process, no mount, and no other change. */
  async requireNothing() {
    const { traces } = this.#world;
    await untilNothing(
      'process or mount of a plan',
      () => {
        for (const { pid } of traces.processes().filter(({ name }) => STAYING.includes(name))) end(pid);
        return traces.live();
      },
      CLEAN,
    );
    const now = this.#kept();
    if (now !== this.#before)
      throw new Error(`Expected the same files as before:\n${this.#before}\ngot:\n${now}`);
  }

  /** What nobody may change: all but the folders of the person and those for temporary files. */
  #kept() {
    const place = dirname(this.#guarded);
    const skipped = new Set(['tmp', 'var-tmp', 'sockets', ...this.#world.people.map(({ name }) => name)]);
    const paths = readdirSync(place)
      .filter((name) => !skipped.has(name))
      .flatMap((name) => [join(place, name), ...below(join(place, name))]);
    return paths
      .map((path) => {
        const { mode, uid, size, mtimeMs } = lstatSync(path);
        return `${path} ${mode} ${uid} ${size} ${mtimeMs}`;
      })
      .join('\n');
  }

  #give(path) {
    if (process.getuid() === 0) chownSync(path, this.#person.uid, this.#person.uid);
  }
}

function below(path) {
  if (!lstatSync(path).isDirectory()) return [];
  return readdirSync(path, { recursive: true }).map((name) => join(path, name));
}

function end(pid) {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended meanwhile.
  }
}
