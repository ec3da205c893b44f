import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { within } from '../until.mjs';

const PATIENCE = 180_000;

/** Somebody who types commands in their home. */
export class Person {
  #id;
  #env;

  /** @param id of the user, where root starts this @param env besides what everybody has */
  constructor({ id, home, env }) {
    this.#id = id;
    this.home = home;
    this.#env = { HOME: home, PATH: '/usr/sbin:/usr/bin:/sbin:/bin', TERM: 'dumb', LANG: 'C.UTF-8', ...env };
  }

  /** Runs a program: `{ status, stdout, stderr }`. */
  async run(program, words, input = '') {
    const [command, ...args] = this.#command([program, ...words]);
    const child = spawn(command, args, {
      cwd: this.home,
      env: this.#env,
      ...(process.getuid() === 0 ? { uid: this.#id, gid: this.#id } : {}),
    });
    // Who has said no reads no more.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
    const ended = Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
    const [stdout, stderr, [status]] = await within(PATIENCE, `${program} ${words.join(' ')} to end`, ended);
    return { status, stdout, stderr };
  }

  /** Runs a program that has to succeed. @throws Error with what it said */
  async ok(program, words, input) {
    const ended = await this.run(program, words, input);
    if (ended.status !== 0)
      throw new Error(`${program} ${words.join(' ')}: ${ended.status} ${ended.stdout}${ended.stderr}`);
    return ended;
  }

  /** This process may have capabilities in a user namespace, to mount; who starts containers has none. */
  #command(words) {
    if (process.getuid() === 0) return words;
    return ['setpriv', '--ambient-caps=-all', '--inh-caps=-all', ...words];
  }
}
