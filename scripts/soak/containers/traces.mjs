import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { untilNothing } from '../until.mjs';

/** What a look at everything costs is paid once after many starts; a busy machine takes its time to end processes. */
const PATIENCE = 5000;
/** Unpacked images that are kept (docs/guide/operate.md): names that begin with a point are none. */
const KEPT = /^\.singularity\/cache(\/rootfs(\/(\.lock|[0-9a-f]+)(\/.*)?)?)?$/;
/** Logs of instances stay, and so do the folders of their records with the lock that starts share (docs/guide/instances.md). */
const STAYS =
  /^\.singularity(\/instances(\/(logs|scs)(\/[^/]+(\/[^/]+(\/([^/]+\.(out|err)|\+lock))?)?)?)?)?$/;

/** What containers leave: in a world where nobody else is, that is whatever was not there before. */
export class Traces {
  #mounts = new Set(mounts());
  #places;
  #token;

  /** @param places folders for temporary files @param token in the name of every image file */
  constructor(places, token) {
    this.#places = places;
    this.#token = token;
  }

  /** Processes but this one and the first, as `{ pid, name, user }`; those that are over, and that their parent has to take notice of, too. */
  processes() {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name) && name !== '1' && Number(name) !== process.pid)
      .flatMap((pid) => {
        const stat = textOr(`/proc/${pid}/stat`);
        const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        // Taken notice of within moments by the first process, and by this one.
        if (stat === '' || (state === 'Z' && ['1', String(process.pid)].includes(parent))) return [];
        const name = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
        const user = Number(/^Uid:\t(\d+)/m.exec(textOr(`/proc/${pid}/status`))?.[1]);
        return [{ pid: Number(pid), name, user }];
      });
  }

  /** Processes and mounts, in words. @param but names of processes that may be there */
  live(but = []) {
    return [
      ...this.processes()
        .filter(({ name }) => !but.includes(name))
        .map(
          ({ pid, name }) => `process ${pid} ${name} ${textOr(`/proc/${pid}/cmdline`).replaceAll('\0', ' ')}`,
        ),
      ...mounts()
        .filter((line) => !this.#mounts.has(line))
        .map((line) => `mount ${line}`),
    ];
  }

  /** Everything, in words: processes, mounts, loop devices, files and folders. */
  all() {
    const loops = readdirSync('/sys/block').flatMap((name) => {
      const file = textOr(`/sys/block/${name}/loop/backing_file`);
      return file.includes(this.#token) ? [`loop device ${name} of ${file.trim()}`] : [];
    });
    const files = this.#places.flatMap((place) =>
      namesBelow(place)
        .filter(
          (name) => !STAYS.test(name) && !KEPT.test(name) && !(place === '/run/user' && /^\d+$/.test(name)),
        )
        .map((name) => `file ${join(place, name)}`),
    );
    return [...this.live(), ...loops, ...files];
  }

  /** @param idle seconds that an image server stays @throws Error with what is left */
  async requireNothing(when, idle = 0) {
    await untilNothing(`trace ${when}`, () => this.all(), idle * 1000 + PATIENCE);
  }
}

/** Paths of everything below a folder. */
function namesBelow(folder) {
  try {
    return readdirSync(folder, { recursive: true });
  } catch {
    // Something is removed at the same time.
    return ['…'];
  }
}

function mounts() {
  return readFileSync('/proc/self/mountinfo', 'utf8').trimEnd().split('\n');
}

function textOr(file) {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}
